#include "conv/zero_inputs.h"

#include <algorithm>
#include <cmath>

#include "conv/conv_weights.h"
#include "conv/nonzero_pairs.h"

namespace {

// Processor cycles for an input of one position (AMD's Zen 3): a row tile's sums; the same where k are left
// out, and what looking at a tile takes.
constexpr double kRowTile = 0.6, kRowTileOfSome = 0.64, kLook = 1.2;

// Sums shorter than this, and fewer outputs, do not pay for looking.
constexpr int64_t kShortest = 64, kFewestRowTiles = 4;

// The shares of tiles and of pairs with an input that is not zero.
struct Shares {
  double tiles, pairs;
};

bool any_nonzero(const float* x, int64_t count, int64_t stride) {
  for (int64_t i = 0; i < count; ++i) {
    if (x[i * stride] != 0.0f) return true;
  }
  return false;
}

// Of tiles here and there in all channels.
Shares sample(const ConvGeometry& g, int lanes, const float* x) {
  constexpr int64_t kTiles = 1024;
  constexpr int64_t kFar = 7919;  // a prime: the tiles of one channel lie anywhere in it
  const int64_t reach = (g.out_height - 1) * g.stride_height + (g.kernel_height - 1) * g.dilation_height + 1;
  const int64_t first_row = std::max<int64_t>(0, -g.pad_height);
  const int64_t end_row = std::min(g.in_height, reach - g.pad_height);
  const int64_t floats = (end_row - first_row) * g.in_width, stride = g.stride_width;
  const int64_t planes = g.batch * g.in_channels, all = std::max(planes, kTiles);
  if (planes == 0 || floats < lanes * stride) return {1, 1};
  int64_t looked_at = 0, tiles = 0, pairs = 0;
  for (int64_t i = 0; i < all; i += divide_up(all, kTiles), ++looked_at) {
    const int64_t at = first_row * g.in_width + i * kFar * lanes % (floats - lanes * stride + 1);
    const float* tile = x + i % planes * g.in_plane + at;
    int64_t pairs_of_tile = 0;
    for (int lane = 0; lane + 1 < lanes; lane += 2)
      pairs_of_tile += any_nonzero(tile + lane * stride, 2, stride);
    pairs += pairs_of_tile;
    tiles += pairs_of_tile > 0 || any_nonzero(tile, lanes, stride);
  }
  const auto count = static_cast<double>(looked_at);
  return {static_cast<double>(tiles) / count, static_cast<double>(pairs) / (count * (lanes / 2))};
}

bool all_finite(const ConvKernels& kernels, int64_t count, const float* values, int threads) {
  constexpr int64_t kChunk = 1 << 14;
  int not_finite = 0;
#pragma omp parallel for num_threads(threads) reduction(| : not_finite)
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    not_finite |= !kernels.zero.all_finite(std::min(kChunk, count - begin), values + begin);
  }
  return !not_finite;
}

// The chain of a whole block.
float sum_whole(int64_t depth, const Offsets& offset, const float* weights, const float* input) {
  float sum = 0;
  for (int64_t i = 0; i < depth; ++i) sum = std::fma(weights[offset.weights[i]], input[offset.input[i]], sum);
  return sum;
}

bool is_negative_zero(float value) { return value == 0.0f && std::signbit(value); }

}  // namespace

ZeroInputs choose_zero_inputs(const ConvGeometry& g, const ConvKernels& kernels, const float* x,
                              const float* packed, int threads) {
  if (!kernels.zero.list_nonzero || g.depth() < kShortest || g.row_tiles() < kFewestRowTiles) {
    return ZeroInputs::summed;
  }
  const Shares nonzero = sample(g, kernels.lanes, x);
  const double summed = kRowTile * static_cast<double>(g.row_tiles());
  const double tiles = kLook + kRowTileOfSome * static_cast<double>(g.row_tiles()) * nonzero.tiles;
  const double pairs = NonzeroPairs::suits(g, kernels) ? NonzeroPairs::cycles(g, nonzero.pairs) : tiles;
  if (std::min(tiles, pairs) >= summed) return ZeroInputs::summed;
  if (!all_finite(kernels, packed_weights_size(g), packed, threads)) return ZeroInputs::summed;
  return tiles <= pairs ? ZeroInputs::left_out_of_tiles : ZeroInputs::left_out_of_pairs;
}

void sum_negative_zeros(int64_t depth, const Offsets& offset, const float* weights, const float* input,
                        int rows, int64_t row_step, int lanes, int64_t lane_step, bool first, float* sums) {
  for (int row = 0; row < rows; ++row) {
    for (int lane = 0; lane < lanes; ++lane) {
      float& sum = sums[row * row_step + lane * lane_step];
      if (!is_negative_zero(sum)) continue;
      const float whole = sum_whole(depth, offset, weights + row, input + lane);
      sum = first ? whole : sum + whole;  // of the blocks before it is -0, too
    }
  }
}
