// Sums of pairs one after the other, in registers.
#pragma once

#include "conv/bf16/bf16_kernels.h"
#include "conv/simd/conv_accumulate.h"

namespace ISA {
namespace {

// See Bf16Kernels::accumulate. Pair: see FusedMultiplyAdd.
template <class Pair>
void accumulate_pairs(int64_t depth, const int64_t* weight_offset, const float* weights, const float* words,
                      int lanes, int rows, bool first, float* sums) {
  const Offsets offset{weight_offset, nullptr};
  for (int row = 0; row < rows; row += kConvRows) {
    accumulate<Pair>(depth, offset, weights + row * kBf16Chunk, Ahead{}, words, lanes, first,
                     sums + row * kLanes);
  }
}

}  // namespace
}  // namespace ISA
