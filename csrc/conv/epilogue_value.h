// The math of the epilogue's steps for one output; epilogue_vector.h does the same for vectors of them.
#pragma once

#include "conv/epilogue.h"
#include "pixelwise/elementwise.h"

// Eltwise SUM of v and `other`, in the order of the bottoms: `other` first if `after`. T: float or a vector,
// fma: its fused multiply-add.
template <typename T, typename Fma>
HOST_DEVICE T sum_value(T v, T own, T other, T theirs, bool after, Fma fma) {
  const T zero{};
  return after ? fma(own, v, fma(theirs, other, zero)) : fma(theirs, other, fma(own, v, zero));
}

// use(f) with the function f of one value that a step is, if it treats every value alike.
// T: float or a vector, broadcast: makes one of a float.
template <typename T, typename Broadcast, typename Use>
HOST_DEVICE void with_function(const EpilogueStep& step, Broadcast broadcast, Use use) {
  const T first = broadcast(step.first), second = broadcast(step.second);
  switch (step.kind) {
    case EpilogueStep::kRelu:
      use([=](T v) { return relu_value(v, first); });
      break;
    case EpilogueStep::kClip:
      use([=](T v) { return clip_value(v, first, second); });
      break;
    default:
      break;
  }
}

// One step for the output v of `channel` that lies at y[at].
HOST_DEVICE float epilogue_value(const EpilogueStep& step, int64_t channel, int64_t at, float v) {
  switch (step.kind) {
    case EpilogueStep::kBias:
      return v + step.a[channel];
    case EpilogueStep::kBatchNorm:
      return batch_norm_value(v, step.a[channel], step.b[channel]);
    case EpilogueStep::kScale:
      return v * step.a[channel];
    case EpilogueStep::kSum:
      return sum_value(v, step.first, step.a[at], step.second, step.after, fused_multiply_add);
    default:
      with_function<float>(step, [](float x) { return x; }, [&](auto function) { v = function(v); });
      return v;
  }
}
