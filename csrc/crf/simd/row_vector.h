// kRow floats of a row of labels as one vector; the compiler splits it where registers are shorter.
#pragma once

#include "crf/lattice_simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace ISA {
namespace {

typedef float Vec __attribute__((vector_size(kRow * sizeof(float))));

inline __attribute__((always_inline)) Vec load_row(const float* from) {
  Vec v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

inline __attribute__((always_inline)) void store_row(float* to, const Vec& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

template <int G>
inline __attribute__((always_inline)) void load_row(const float* from, Vec (&v)[G]) {
#pragma GCC unroll 4
  for (int g = 0; g < G; ++g) v[g] = load_row(from + g * kRow);
}

template <int G>
inline __attribute__((always_inline)) void store_row(float* to, const Vec (&v)[G]) {
#pragma GCC unroll 4
  for (int g = 0; g < G; ++g) store_row(to + g * kRow, v[g]);
}

inline __attribute__((always_inline)) Vec larger(const Vec& a, const Vec& b) { return a > b ? a : b; }

// Lane j of v[i] becomes lane i of v[j].
inline __attribute__((always_inline)) void transpose(Vec (&v)[kRow]) {
  Vec pairs[kRow], quads[kRow];
  for (int i = 0; i < kRow; i += 2) {
    pairs[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < kRow; i += 4) {
    for (int k = 0; k < 2; ++k) {
      quads[i + 2 * k] = __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      quads[i + 2 * k + 1] =
          __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int k = 0; k < 4; ++k) {
    v[k] = __builtin_shufflevector(quads[k], quads[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    v[k + 4] = __builtin_shufflevector(quads[k], quads[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// Lane i: the largest lane of v[i].
inline __attribute__((always_inline)) Vec largest_of_rows(Vec (&v)[kRow]) {
  transpose(v);
  Vec best = v[0];
  for (int i = 1; i < kRow; ++i) best = larger(best, v[i]);
  return best;
}

template <int N>
struct Count {
  static constexpr int value = N;
};

// Calls function(label, Count<vectors>) for chunks of a row's vectors, few enough to stay in registers. G:
// the number of vectors in the row where it is a constant, else 0.
template <int G, class Function>
inline __attribute__((always_inline)) void for_labels(std::size_t row, const Function& function) {
  if (G > 0) return function(std::size_t{0}, Count<G ? G : 1>{});
  for (std::size_t label = 0; label < row;) {
    const std::size_t vectors = (row - label) / kRow;
    if (vectors >= 4) {
      function(label, Count<4>{}), label += 4 * kRow;
    } else if (vectors == 3) {
      function(label, Count<3>{}), label += 3 * kRow;
    } else if (vectors == 2) {
      function(label, Count<2>{}), label += 2 * kRow;
    } else {
      function(label, Count<1>{}), label += kRow;
    }
  }
}

}  // namespace
}  // namespace ISA
