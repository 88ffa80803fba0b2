// Sums of a tile: lanes are output positions, rows output channels, all independent sums in registers.
#pragma once

#include "conv/simd/conv_tile.h"
#include "conv/simd/tile_size.h"
#include "platform/host_device.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

// What the i-th of a reduction gives to a sum. Other arithmetics are in conv/bf16.
struct FusedMultiplyAdd {
  static constexpr int kRowStep = 1;  // floats from one row's weight to the next
  HOST_DEVICE Vector add(Vector w, Vector x, Vector sum) { return fma_vector(w, x, sum); }
};

// Adds what the i-th of the reduction gives to kTileRows rows and `vectors` vectors of sums.
template <class Products, int vectors>
HOST_DEVICE void add_products(const float* weights, const float* input, Vector (&sum)[kTileRows][vectors]) {
  Vector x[vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) x[v] = load(input + v * kWidth);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
    const Vector w = broadcast(weights[r * Products::kRowStep]);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[r][v] = Products::add(w, x[v], sum[r][v]);
  }
}

// kTileRows rows and `vectors` vectors of lanes, all sums in registers.
template <class Products, int vectors, bool ask_weights>
HOST_DEVICE void accumulate_registers(int64_t depth, const Offsets& offset, const float* weights,
                                      const Ahead& ahead, const float* input, bool first, float* tile) {
  const int64_t *weight_offset = offset.weights, *input_offset = offset.input;
  const auto inputs = [&](int64_t i) { return input + (kByRow ? input_offset[i] : i * kLanes); };
  Vector sum[kTileRows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = broadcast(0.0f);
      // Partial sums may have left the nearest cache since the block before.
      if (!first) __builtin_prefetch(tile + r * kLanes + v * kWidth);
    }
  }
  int64_t i = 0;
  for (const int64_t end = ahead.count < depth ? ahead.count : depth; i < end; ++i) {
    __builtin_prefetch(ahead.y + ahead.offset[i]);
    __builtin_prefetch(ahead.other + ahead.offset[i]);
    if constexpr (ask_weights) __builtin_prefetch(ahead.weights + weight_offset[i]);
    add_products<Products>(weights + weight_offset[i], inputs(i), sum);
  }
#pragma GCC unroll 4
  for (; i < depth; ++i) {
    if constexpr (ask_weights) __builtin_prefetch(ahead.weights + weight_offset[i]);
    add_products<Products>(weights + weight_offset[i], inputs(i), sum);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      float* t = tile + r * kLanes + v * kWidth;
      store_vector(t, first ? sum[r][v] : load(t) + sum[r][v]);
    }
  }
}

// kTileRows rows of all lanes.
template <class Products, bool ask_weights>
HOST_DEVICE void accumulate_rows(int64_t depth, const Offsets& offset, const float* weights,
                                 const Ahead& ahead, const float* input, int lanes, bool first, float* tile) {
  for (int lane = 0; lane < lanes; lane += kTileVectors * kWidth) {
    const int left = lanes - lane;
    const float* x = input + lane;
    float* t = tile + lane;
    if (left > 2 * kWidth) {
      accumulate_registers<Products, kTileVectors, ask_weights>(depth, offset, weights, ahead, x, first, t);
    } else if (left > kWidth) {
      accumulate_registers<Products, 2, ask_weights>(depth, offset, weights, ahead, x, first, t);
    } else {
      accumulate_registers<Products, 1, ask_weights>(depth, offset, weights, ahead, x, first, t);
    }
  }
}

template <class Products>
void accumulate(int64_t depth, const Offsets& offset, const float* weights, const Ahead& ahead,
                const float* input, int lanes, bool first, float* tile) {
  if (ahead.weights) {
    accumulate_rows<Products, true>(depth, offset, weights, ahead, input, lanes, first, tile);
  } else {
    accumulate_rows<Products, false>(depth, offset, weights, ahead, input, lanes, first, tile);
  }
  for (int row = kTileRows; row < kConvRows; row += kTileRows) {
    const Ahead nothing{};  // once is enough
    accumulate_rows<Products, false>(depth, offset, weights + row * Products::kRowStep, nothing, input, lanes,
                                     first, tile + row * kLanes);
  }
}

}  // namespace
}  // namespace ISA
