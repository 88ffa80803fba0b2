// The epilogue's steps on outputs that are still in registers.
#pragma once

#include "elementwise.h"
#include "epilogue_value.h"
#include "vector.h"

namespace ISA {
namespace {

// v[i] / d, rounded as division rounds, for n vectors. Division is slow; a quotient from the rounded
// reciprocal, corrected twice by its exact remainder, is the rounded quotient (Markstein, "Computation of
// elementary functions on the IBM RISC System/6000", 1990) as long as nothing comes near overflow or
// underflow.
template <int n>
HOST_DEVICE void divide(float d, Vector (&v)[n]) {
  const Vector divisor = broadcast(d);
#if defined(ISA_AVX512) || defined(ISA_AVX2)
  bool normal = d > 0x1p-30f && d < 0x1p30f;
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) normal = all_between(v[i], 0x1p-60f, 0x1p60f) && normal;
  if (normal) {
    const Vector reciprocal = broadcast(1.0f / d);
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) {
      Vector quotient = v[i] * reciprocal;
      quotient = fma_vector(negative_fma(quotient, divisor, v[i]), reciprocal, quotient);
      v[i] = fma_vector(negative_fma(quotient, divisor, v[i]), reciprocal, quotient);
    }
    return;
  }
#endif
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) v[i] = v[i] / divisor;
}

// One step for n vectors of outputs of one channel; kSum: `other` holds their summands.
template <int n>
HOST_DEVICE void apply_step(const EpilogueStep& step, int64_t channel, const float* other, Vector (&v)[n]) {
  switch (step.kind) {
    case EpilogueStep::kBias: {
      const Vector a = broadcast(step.a[channel]);
      for (int i = 0; i < n; ++i) v[i] = v[i] + a;
      break;
    }
    case EpilogueStep::kBatchNorm: {
      const Vector mean = broadcast(step.a[channel]);
      for (int i = 0; i < n; ++i) v[i] = v[i] - mean;
      divide(step.b[channel], v);
      break;
    }
    case EpilogueStep::kScale: {
      const Vector a = broadcast(step.a[channel]);
      for (int i = 0; i < n; ++i) v[i] = v[i] * a;
      break;
    }
    case EpilogueStep::kSum: {
      const Vector own = broadcast(step.first), theirs = broadcast(step.second);
      for (int i = 0; i < n; ++i) {
        v[i] = sum_value(v[i], own, load(other + i * kWidth), theirs, step.after, fma_vector);
      }
      break;
    }
    case EpilogueStep::kRelu: {
      const Vector slope = broadcast(step.first);
      for (int i = 0; i < n; ++i) v[i] = relu_value(v[i], slope);
      break;
    }
    case EpilogueStep::kClip: {
      const Vector low = broadcast(step.first), high = broadcast(step.second);
      for (int i = 0; i < n; ++i) v[i] = clip_value(v[i], low, high);
      break;
    }
  }
}

}  // namespace
}  // namespace ISA
