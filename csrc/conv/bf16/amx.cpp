// Sums by TDPBF16PS (AMX): a tile register holds 16 rows of 64 bytes.
#include "conv/bf16/rounding.h"

namespace ISA {
namespace {

constexpr int kTileBytes = 64, kWords = 16;  // a row's
static_assert(kBf16Rows == 16 && kBf16Chunk == 16 && kLanes == 3 * kWords, "the sizes of tile registers");

struct TileSizes {
  uint8_t palette = 1, start_row = 0, unused[14] = {};
  uint16_t row_bytes[16] = {kTileBytes, kTileBytes, kTileBytes, kTileBytes,
                            kTileBytes, kTileBytes, kTileBytes, kTileBytes};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileSizes kSizes;

void begin() { _tile_loadconfig(&kSizes); }

void end() { _tile_release(); }

void round(const float* inputs, int64_t channels, int64_t taps, float* words) {
  round_inputs<kBf16Chunk>(inputs, channels, taps, words, round_row);
}

// Registers 0 to 2 are the sums of 16 lanes each, 3 the weights, 4 to 6 the inputs.
template <int tiles>
HOST_DEVICE void accumulate_registers(int64_t depth, const int64_t* weight_offset, const float* weights,
                                      const float* words, bool first, float* sums) {
  constexpr int64_t step = kLanes * sizeof(float);
  if (first) {
    _tile_zero(0);
    if constexpr (tiles > 1) _tile_zero(1);
    if constexpr (tiles > 2) _tile_zero(2);
  } else {
    _tile_loadd(0, sums, step);
    if constexpr (tiles > 1) _tile_loadd(1, sums + kWords, step);
    if constexpr (tiles > 2) _tile_loadd(2, sums + 2 * kWords, step);
  }
  for (int64_t i = 0; i < depth; i += kBf16Chunk) {
    const float* x = words + i * kLanes;
    _tile_loadd(3, weights + weight_offset[i], kTileBytes);
    _tile_loadd(4, x, step);
    _tile_dpbf16ps(0, 3, 4);
    if constexpr (tiles > 1) {
      _tile_loadd(5, x + kWords, step);
      _tile_dpbf16ps(1, 3, 5);
    }
    if constexpr (tiles > 2) {
      _tile_loadd(6, x + 2 * kWords, step);
      _tile_dpbf16ps(2, 3, 6);
    }
  }
  _tile_stored(0, sums, step);
  if constexpr (tiles > 1) _tile_stored(1, sums + kWords, step);
  if constexpr (tiles > 2) _tile_stored(2, sums + 2 * kWords, step);
}

void accumulate_tiles(int64_t depth, const int64_t* weight_offset, const float* weights, const float* words,
                      int lanes, int, bool first, float* sums) {
  if (lanes > 2 * kWords) {
    accumulate_registers<3>(depth, weight_offset, weights, words, first, sums);
  } else if (lanes > kWords) {
    accumulate_registers<2>(depth, weight_offset, weights, words, first, sums);
  } else {
    accumulate_registers<1>(depth, weight_offset, weights, words, first, sums);
  }
}

}  // namespace

const Bf16Kernels bf16_tile_kernels = {&avx512::conv_kernels, kBf16Chunk, begin, end, round,
                                       accumulate_tiles};

}  // namespace ISA
