// Least significant digit first: each pass counts the digits of every tile, scans the counts, and moves each
// item behind the items of lower digits, of the same digit in tiles before, and of the same digit before it
// in its own tile. No atomics decide a place, so the sort is stable.
#include "crf/cuda/radix_sort.h"
#include "platform/cuda/runtime.cuh"

namespace device {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kRounds = 16;  // items a thread
constexpr unsigned kTile = kThreads * kRounds;
constexpr int kMaxDigitBits = 8, kDigits = 1 << kMaxDigitBits;
constexpr unsigned kWholeWarp = 0xffffffffu;

struct Pass {
  const unsigned *keys, *values;  // values null: an item's value is its number
  unsigned *keys_out, *values_out;
  unsigned *counts, *totals;  // [digit, tile], then where a tile's items of a digit go; [digit]
  unsigned count, tiles;
  int shift, bits;

  __device__ unsigned digit(unsigned key) const { return key >> shift & ((1u << bits) - 1); }
};

// Each warp takes a run of 32 * kRounds items, 32 at a time.
__device__ __forceinline__ unsigned item(int round) {
  return blockIdx.x * kTile + threadIdx.x / 32 * (32 * kRounds) + round * 32 + threadIdx.x % 32;
}

// The lanes whose item exists and has the same digit.
__device__ __forceinline__ unsigned same_digit(unsigned digit, int bits, bool real) {
  unsigned same = __ballot_sync(kWholeWarp, real);
  for (int bit = 0; bit < bits; ++bit) {
    const bool one = digit >> bit & 1;
    const unsigned ones = __ballot_sync(kWholeWarp, one);
    same &= one ? ones : ~ones;
  }
  return same;
}

// This warp's items before `lane`'s with the same digit, as far as counted; counts this round's.
__device__ __forceinline__ unsigned count_round(unsigned* counters, unsigned digit, int bits, bool real) {
  const int lane = threadIdx.x % 32;
  const unsigned same = same_digit(digit, bits, real);
  const unsigned before = counters[digit];
  __syncwarp();
  if (real && __ffs(same) - 1 == lane) counters[digit] = before + __popc(same);
  __syncwarp();
  return before + __popc(same & ((1u << lane) - 1));
}

KERNEL(kThreads, 1)
void count_digits(Pass pass) {
  __shared__ unsigned counters[kWarps][kDigits];
  for (int w = 0; w < kWarps; ++w) counters[w][threadIdx.x] = 0;
  __syncthreads();
  for (int round = 0; round < kRounds; ++round) {
    const unsigned i = item(round);
    const bool real = i < pass.count;
    count_round(counters[threadIdx.x / 32], pass.digit(real ? pass.keys[i] : 0), pass.bits, real);
  }
  __syncthreads();
  if (threadIdx.x >> pass.bits) return;
  unsigned sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += counters[w][threadIdx.x];
  pass.counts[threadIdx.x * pass.tiles + blockIdx.x] = sum;
}

// The sum of the values of the threads before this one; `total` is that of all. warp_sums: kWarps + 1 words.
__device__ __forceinline__ unsigned sum_before(unsigned value, unsigned* warp_sums, unsigned& total) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  unsigned sum = value;
  for (int delta = 1; delta < 32; delta *= 2) {
    const unsigned other = __shfl_up_sync(kWholeWarp, sum, delta);
    if (lane >= delta) sum += other;
  }
  if (lane == 31) warp_sums[warp] = sum;
  __syncthreads();
  unsigned before = 0;
  total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += warp_sums[w];
    total += warp_sums[w];
  }
  __syncthreads();
  return before + sum - value;
}

// A block for each digit: its counts become sums over the tiles before.
KERNEL(kThreads, 1)
void scan_tiles(Pass pass) {
  __shared__ unsigned warp_sums[kWarps];
  unsigned* const counts = pass.counts + blockIdx.x * pass.tiles;
  unsigned carry = 0;
  for (unsigned first = 0; first < pass.tiles; first += kThreads) {
    const unsigned tile = first + threadIdx.x;
    unsigned total;
    const unsigned before = sum_before(tile < pass.tiles ? counts[tile] : 0, warp_sums, total);
    if (tile < pass.tiles) counts[tile] = carry + before;
    carry += total;
  }
  if (threadIdx.x == 0) pass.totals[blockIdx.x] = carry;
}

KERNEL(kThreads, 1)
void move_items(Pass pass) {
  __shared__ unsigned places[kWarps][kDigits];
  __shared__ unsigned warp_sums[kWarps];
  const int warp = threadIdx.x / 32;
  for (int w = 0; w < kWarps; ++w) places[w][threadIdx.x] = 0;
  __syncthreads();
  unsigned keys[kRounds], before[kRounds];
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const unsigned i = item(round);
    keys[round] = i < pass.count ? pass.keys[i] : 0;
  }
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    before[round] = count_round(places[warp], pass.digit(keys[round]), pass.bits, item(round) < pass.count);
  }
  __syncthreads();
  // A thread for each digit: the counts become the places of each warp's first item.
  const bool digit = threadIdx.x >> pass.bits == 0;
  unsigned total;
  unsigned place = sum_before(digit ? pass.totals[threadIdx.x] : 0, warp_sums, total);
  if (digit) {
    place += pass.counts[threadIdx.x * pass.tiles + blockIdx.x];
    for (int w = 0; w < kWarps; ++w) {
      const unsigned here = places[w][threadIdx.x];
      places[w][threadIdx.x] = place;
      place += here;
    }
  }
  __syncthreads();
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    const unsigned i = item(round);
    if (i >= pass.count) continue;
    const unsigned to = places[warp][pass.digit(keys[round])] + before[round];
    pass.keys_out[to] = keys[round];
    pass.values_out[to] = pass.values ? pass.values[i] : i;
  }
}

}  // namespace

std::size_t digit_count_words(std::size_t count) { return ((count + kTile - 1) / kTile + 1) * kDigits; }

int sort_order(const SortBuffers& buffers, std::size_t count, int bits, Stream stream) {
  const int passes = (bits + kMaxDigitBits - 1) / kMaxDigitBits;
  const unsigned tiles = block_count(static_cast<std::int64_t>(count), kTile);
  for (int p = 0; p < passes; ++p) {
    const int from = p % 2, to = 1 - from;
    Pass pass;
    pass.keys = buffers.keys[from];
    pass.values = p == 0 ? nullptr : buffers.values[from];
    pass.keys_out = buffers.keys[to];
    pass.values_out = buffers.values[to];
    pass.counts = buffers.digit_counts;
    pass.totals = buffers.digit_counts + std::size_t{tiles} * kDigits;
    pass.count = static_cast<unsigned>(count);
    pass.tiles = tiles;
    // The bits are shared out evenly.
    pass.shift = bits * p / passes;
    pass.bits = bits * (p + 1) / passes - pass.shift;
    launch(count_digits, tiles, kThreads, 0, stream, pass);
    launch(scan_tiles, 1u << pass.bits, kThreads, 0, stream, pass);
    launch(move_items, tiles, kThreads, 0, stream, pass);
  }
  return passes % 2;
}

}  // namespace device
