// kRow floats of a row of labels as one vector; the compiler splits it where registers are shorter.
#pragma once

#include "lattice_simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace ISA {
namespace {

typedef float Vec __attribute__((vector_size(kRow * sizeof(float))));

inline __attribute__((always_inline)) Vec load(const float* from) {
  Vec v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline __attribute__((always_inline)) void store(float* to, const Vec& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

inline __attribute__((always_inline)) Vec larger(const Vec& a, const Vec& b) { return a > b ? a : b; }

// The largest of the lanes, in every lane.
inline __attribute__((always_inline)) Vec largest_lane(Vec v) {
  v = larger(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = larger(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  return larger(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
}

}  // namespace
}  // namespace ISA
