// How the threads of a warp share a row of labels: `lanes` of them, a power of two, take four labels each,
// and come back for the next 4 * lanes.
#pragma once

#include "platform/cuda/runtime.cuh"

struct RowLanes {
  int bits;    // log2 of the lanes
  int pieces;  // fours of labels in a row

  explicit RowLanes(std::size_t row) : bits(0), pieces(static_cast<int>(row / 4)) {
    while (bits < 5 && 1 << bits < pieces) ++bits;
  }
  __device__ int lanes() const { return 1 << bits; }
  __device__ int lane() const { return threadIdx.x & (lanes() - 1); }
  // Rows that a block of `threads` takes side by side; which of them this thread belongs to.
  int rows_of_block(int threads) const { return threads >> bits; }
  __device__ std::size_t row(int threads) const {
    return std::size_t{blockIdx.x} * (threads >> bits) + (threadIdx.x >> bits);
  }
};
