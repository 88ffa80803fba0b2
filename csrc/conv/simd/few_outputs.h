// Sums of few output channels, see conv/few_outputs.h.
#pragma once

#include "conv/simd/conv_tile.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

#ifdef ISA_AVX2

// `positions` neighbours of `tiles` row tiles, a vector each: all sums in registers.
template <int tiles, bool ask_weights>
HOST_DEVICE void accumulate_positions(int64_t count, const Offsets& offset, const float* weights,
                                      int64_t row_tile_step, const float* ahead, const float* const* inputs,
                                      bool first, float* chain) {
  constexpr int positions = few_outputs_positions(tiles);
  static_assert(kConvRows == kWidth, "a row tile is a vector");
  const float* input[positions];
  Vector sum[positions][tiles];
#pragma GCC unroll 8
  for (int p = 0; p < positions; ++p) {
    input[p] = inputs[p];
#pragma GCC unroll 8
    for (int t = 0; t < tiles; ++t) {
      sum[p][t] = first ? broadcast(0.0f) : load(chain + (p * tiles + t) * kWidth);
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    const float* w = weights + offset.weights[i];
    const int64_t at = offset.input[i];
    // Into the second cache: the nearest is full.
    __builtin_prefetch(input[0] + offset.input[i + kFewOutputsAhead], 0, 2);
    if constexpr (ask_weights) __builtin_prefetch(ahead + offset.weights[i + kFewOutputsAhead], 0, 2);
    Vector weight[tiles];
#pragma GCC unroll 8
    for (int t = 0; t < tiles; ++t) weight[t] = load(w + t * row_tile_step);
#pragma GCC unroll 8
    for (int p = 0; p < positions; ++p) {
      const Vector x = broadcast(input[p][at]);
#pragma GCC unroll 8
      for (int t = 0; t < tiles; ++t) sum[p][t] = fma_vector(weight[t], x, sum[p][t]);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < positions; ++p) {
#pragma GCC unroll 8
    for (int t = 0; t < tiles; ++t) store_vector(chain + (p * tiles + t) * kWidth, sum[p][t]);
  }
}

template <int tiles>
void accumulate_row_tiles(int64_t count, const Offsets& offset, const float* weights, int64_t row_tile_step,
                          const float* ahead, const float* const* inputs, bool first, float* chain) {
  if (ahead) {
    accumulate_positions<tiles, true>(count, offset, weights, row_tile_step, ahead, inputs, first, chain);
  } else {
    accumulate_positions<tiles, false>(count, offset, weights, row_tile_step, ahead, inputs, first, chain);
  }
}

void accumulate_few_outputs(int64_t row_tiles, int64_t count, const Offsets& offset, const float* weights,
                            int64_t row_tile_step, const float* ahead, const float* const* inputs, bool first,
                            float* chain) {
  const auto accumulate = row_tiles == 3   ? accumulate_row_tiles<3>
                          : row_tiles == 2 ? accumulate_row_tiles<2>
                                           : accumulate_row_tiles<1>;
  accumulate(count, offset, weights, row_tile_step, ahead, inputs, first, chain);
}

#else

constexpr auto accumulate_few_outputs = nullptr;  // a row tile is no vector

#endif

}  // namespace
}  // namespace ISA
