// Sums of pairs of positions, without the inputs that are zero in both, see conv/nonzero_pairs.h.
#pragma once

#include <cstring>

#include "conv/simd/conv_tile.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

#ifdef ISA_AVX2

static_assert(kConvRows == kWidth, "a row tile is a vector");

// For each set of lanes, those lanes moved to the front, in order: a byte each.
struct FrontLanes {
  uint64_t lanes[1 << kWidth] = {};
  constexpr FrontLanes() {
    for (int set = 0; set < 1 << kWidth; ++set) {
      int count = 0;
      for (uint64_t lane = 0; lane < kWidth; ++lane) {
        if (set >> lane & 1) lanes[set] |= lane << (8 * count++);
      }
    }
  }
};
constexpr FrontLanes kFrontLanes;

// Rows become columns.
HOST_DEVICE void transpose(Vector (&v)[kWidth]) {
  Vector pairs[kWidth], quads[kWidth];
#pragma GCC unroll 8
  for (int i = 0; i < kWidth; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kWidth; i += 4) {
    quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
  }
}

void list_pairs(int64_t depth, const int64_t* offset, const float* input, const PairLists& lists) {
  constexpr int64_t kRoom = PairLists::kRoom;
  constexpr int kPairs = PairKernels::kPairs;
  static_assert(2 * kPairs == kWidth, "transposed together");
  int64_t count[kPairs] = {};
  const Vector zero = broadcast(0.0f);
  uint64_t first_k = 0;  // in every byte
  for (int64_t i = 0; i < depth; i += kWidth, first_k += kWidth * 0x0101010101010101) {
    Vector x[kWidth];
#pragma GCC unroll 8
    for (int j = 0; j < kWidth; ++j) x[j] = i + j < depth ? load(input + offset[i + j]) : zero;
    transpose(x);
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) {
      const Vector a = x[2 * p], b = x[2 * p + 1];
      const Vector either = _mm256_or_ps(_mm256_cmp_ps(a, zero, _CMP_NEQ_UQ),  // NaN is not zero
                                         _mm256_cmp_ps(b, zero, _CMP_NEQ_UQ));
      const int set = _mm256_movemask_ps(either);
      const uint64_t front = kFrontLanes.lanes[set], k = first_k + front;
      const __m256i lanes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(front)));
      float* values = lists.values + 2 * p * kRoom + count[p];
      store_vector(values, _mm256_permutevar8x32_ps(a, lanes));
      store_vector(values + kRoom, _mm256_permutevar8x32_ps(b, lanes));
      memcpy(lists.k + p * kRoom + count[p], &k, sizeof k);
      count[p] += __builtin_popcount(static_cast<unsigned>(set));
    }
  }
  for (int p = 0; p < kPairs; ++p) lists.count[p] = static_cast<int32_t>(count[p]);
}

void copy_panel(const PanelSource& source, float* panel) {
  const float* weights = source.weights;
  for (int t = 0; t < source.row_tiles; ++t, weights += source.row_tile_step) {
    float* target = panel + t * kWidth;
    for (int64_t i = 0; i < source.depth; ++i, target += source.row_tiles * kWidth) {
      store_vector(target, load(weights + source.offset[i]));
    }
  }
}

// A pair's sums of so many row tiles, all in registers.
template <int row_tiles>
HOST_DEVICE void add_pair(int64_t count, const uint8_t* k, const float* values, const float* panel,
                          bool first, float* sums) {
  constexpr int64_t step = row_tiles * kWidth;
  Vector a[row_tiles], b[row_tiles];
#pragma GCC unroll 8
  for (int t = 0; t < row_tiles; ++t) {
    a[t] = first ? broadcast(0.0f) : load(sums + t * kWidth);
    b[t] = first ? broadcast(0.0f) : load(sums + step + t * kWidth);
  }
#pragma GCC unroll 2
  for (int64_t i = 0; i < count; ++i) {
    const float* weights = panel + k[i] * step;
    const Vector x = broadcast(values[i]), y = broadcast(values[PairLists::kRoom + i]);
#pragma GCC unroll 8
    for (int t = 0; t < row_tiles; ++t) {
      const Vector w = load(weights + t * kWidth);
      a[t] = fma_vector(w, x, a[t]);
      b[t] = fma_vector(w, y, b[t]);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < row_tiles; ++t) {
    store_vector(sums + t * kWidth, a[t]);
    store_vector(sums + step + t * kWidth, b[t]);
  }
}

constexpr int64_t kLine = 16;  // floats in a cache line

// Asks for the next panel's weights, a few lines at a time: waiting for them would take as long as the sums.
class AskAhead {
 public:
  AskAhead(const PanelSource& source, int64_t times) : source_(source), weights_(source.weights) {
    const int64_t lines = source.row_tiles * source.depth / kStep;
    at_once_ = times > 0 ? (lines + times - 1) / times : 0;
  }

  void operator()() {
    for (int64_t i = 0; i < at_once_ && row_tile_ < source_.row_tiles; ++i) {
      __builtin_prefetch(weights_ + source_.offset[k_], 0, 2);  // the nearest cache is full
      k_ += kStep;
      if (k_ < source_.depth) continue;
      k_ = 0, ++row_tile_;
      weights_ += source_.row_tile_step;
    }
  }

 private:
  static constexpr int64_t kStep = kLine / kConvRows;  // k of a line
  const PanelSource& source_;
  const float* weights_;
  int64_t at_once_ = 0, k_ = 0;
  int row_tile_ = 0;
};

template <int row_tiles>
void accumulate_pairs_of(int64_t pairs, const PairLists& lists, const float* panel, const PanelSource& ahead,
                         bool first, float* sums) {
  constexpr int64_t kRoom = PairLists::kRoom, kSums = 2 * row_tiles * kWidth;
  const float* values = lists.values;
  const uint8_t* k = lists.k;
  AskAhead ask_ahead(ahead, pairs);
  for (int64_t p = 0; p < pairs; ++p, values += 2 * kRoom, k += kRoom, sums += kSums) {
    ask_ahead();
    add_pair<row_tiles>(lists.count[p], k, values, panel, first, sums);
  }
}

void accumulate_pairs(int row_tiles, int64_t pairs, const PairLists& lists, const float* panel,
                      const PanelSource& ahead, bool first, float* sums) {
  constexpr decltype(&accumulate_pairs_of<1>) accumulate[] = {accumulate_pairs_of<1>, accumulate_pairs_of<2>,
                                                              accumulate_pairs_of<3>, accumulate_pairs_of<4>,
                                                              accumulate_pairs_of<5>, accumulate_pairs_of<6>};
  accumulate[row_tiles - 1](pairs, lists, panel, ahead, first, sums);
}

void transpose_sums(const float* sums, int64_t step, int lanes, int tile_lanes, float* tile) {
  for (int lane = 0; lane < lanes; lane += kWidth) {
    Vector v[kWidth];
#pragma GCC unroll 8
    for (int i = 0; i < kWidth; ++i) v[i] = load(sums + (lane + i) * step);
    transpose(v);
#pragma GCC unroll 8
    for (int r = 0; r < kWidth; ++r) store_vector(tile + r * tile_lanes + lane, v[r]);
  }
}

constexpr PairKernels kPairKernels = {list_pairs, copy_panel, accumulate_pairs, transpose_sums};

#else

constexpr PairKernels kPairKernels = {};  // a row tile is no vector

#endif

}  // namespace
}  // namespace ISA
