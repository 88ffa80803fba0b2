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
    case EpilogueStep::kRelu:
      return relu_value(v, step.first);
    case EpilogueStep::kClip:
      return clip_value(v, step.first, step.second);
  }
  return v;
}
