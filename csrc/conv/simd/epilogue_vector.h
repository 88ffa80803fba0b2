// The epilogue's steps on outputs that are still in registers.
#pragma once

#include "conv/epilogue_value.h"
#include "pixelwise/elementwise.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

// v[i] / d, rounded as division rounds, for n vectors. Division is slow; a quotient from the rounded
// reciprocal, corrected twice by its exact remainder, is the rounded quotient (Markstein, "Computation of
// elementary functions on the IBM RISC System/6000", 1990) as long as nothing comes near overflow or
// underflow.
template <int n>
HOST_DEVICE void divide(float d, Vector (&v)[n]) {
  const Vector divisor = broadcast(d);
#ifndef ISA_PORTABLE
  if (d > 0x1p-30f && d < 0x1p30f && all_between(v, 0x1p-60f, 0x1p60f)) {
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

// One step for n vectors of outputs of each of `rows` neighbouring channels; kSum: `other` holds their
// summands, row by row.
template <int rows, int n>
HOST_DEVICE void apply_step(const EpilogueStep& step, int64_t channel, const float* other,
                            Vector (&v)[rows][n]) {
  switch (step.kind) {
    case EpilogueStep::kBias:
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vector a = broadcast(step.a[channel + r]);
        for (int i = 0; i < n; ++i) v[r][i] = v[r][i] + a;
      }
      break;
    case EpilogueStep::kBatchNorm:
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vector mean = broadcast(step.a[channel + r]);
        for (int i = 0; i < n; ++i) v[r][i] = v[r][i] - mean;
        divide(step.b[channel + r], v[r]);
      }
      break;
    case EpilogueStep::kScale:
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vector a = broadcast(step.a[channel + r]);
        for (int i = 0; i < n; ++i) v[r][i] = v[r][i] * a;
      }
      break;
    case EpilogueStep::kSum: {
      const Vector own = broadcast(step.first), theirs = broadcast(step.second);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        for (int i = 0; i < n; ++i) {
          const Vector x = load(other + (r * n + i) * kWidth);
          v[r][i] = sum_value(v[r][i], own, x, theirs, step.after, fma_vector);
        }
      }
      break;
    }
    default:
      with_function<Vector>(
          step, [](float x) { return broadcast(x); },
          [&](auto function) {
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) {
              for (int i = 0; i < n; ++i) v[r][i] = function(v[r][i]);
            }
          });
  }
}

}  // namespace
}  // namespace ISA
