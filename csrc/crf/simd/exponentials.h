// The exponentials of many values.
#pragma once

#include "crf/mean_field.h"
#include "crf/simd/row_vector.h"

namespace ISA {
namespace {

#ifdef ISA_AVX2
// fast_exp of several vectors, step by step side by side: each step waits for the one before it, and these
// processors look few instructions ahead. What follows t[count - 1] up to a whole step is changed, too.
inline void fast_exponentials(float* t, std::size_t count) {
  typedef std::int32_t IntVec __attribute__((vector_size(sizeof(Vec))));
  constexpr int kVectors = 4;
  const auto each = [](const auto& step) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) step(i);
  };
  for (const float* end = t + count; t < end; t += kVectors * kRow) {
    Vec a[kVectors], p[kVectors];
    IntVec halvings[kVectors];
    each([&](int i) {
      const Vec size = 0.0f - load_row(t + i * kRow);
      halvings[i] = exp_halvings<Vec, IntVec>(size);
      a[i] = exp_halved(size, halvings[i]);
      p[i] = exp_last_term<Vec>();
    });
#pragma GCC unroll 8
    for (int k = kExpTerms - 2; k >= 0; --k) each([&](int i) { p[i] = exp_term(k, a[i], p[i]); });
#pragma GCC unroll 8
    for (int k = 0; k < kExpSquarings; ++k) {
      each([&](int i) { p[i] = exp_squared(halvings[i] > (k << 23), p[i]); });  // fewer ports than of floats
    }
    asm("" : "+r"(t));  // loaded again: registers do not hold all
    each([&](int i) { store_row(t + i * kRow, exp_bounded(load_row(t + i * kRow), p[i])); });
  }
}
#else
inline void fast_exponentials(float* t, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) t[i] = fast_exp(t[i]);
}
#endif

inline void exponentials(float* t, std::size_t count, bool exact) {
  if (!exact) return fast_exponentials(t, count);
  for (std::size_t i = 0; i < count; ++i) t[i] = true_exp(t[i]);
}

}  // namespace
}  // namespace ISA
