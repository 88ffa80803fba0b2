// Convolution micro-kernels. Lanes are output positions, rows are output channels, both independent sums.
#include "conv/atrous_conv.h"
#include "conv/simd/conv_in_place.h"
#include "conv/simd/conv_pack.h"
#include "conv/simd/conv_tile.h"
#include "conv/simd/epilogue_vector.h"
#include "conv/simd/few_outputs.h"
#include "conv/simd/nonzero_pairs.h"
#include "conv/simd/zero_inputs.h"
#include "platform/host_device.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

// kTileRows x kTileVectors sums fill the registers. The lanes of a tile are those of such a block, so that
// its inputs are read one after the other: half of each cache line would come from afar for nothing.
#if defined(ISA_AVX512) || defined(ISA_NEON)
constexpr int kTileRows = 8;
#else
constexpr int kTileRows = 4;
#endif
constexpr int kTileVectors = 3;
#ifdef ISA_PORTABLE
constexpr int kStoredRows = 1;
#else
constexpr int kStoredRows = 4;
#endif

// Adds what the i-th of the reduction gives to kTileRows rows and `vectors` vectors of sums.
template <int vectors>
HOST_DEVICE void add_products(const float* weights, const float* input, Vector (&sum)[kTileRows][vectors]) {
  Vector x[vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) x[v] = load(input + v * kWidth);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
    const Vector w = broadcast(weights[r]);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[r][v] = fma_vector(w, x[v], sum[r][v]);
  }
}

// kTileRows rows and `vectors` vectors of lanes, all sums in registers.
template <int vectors, bool ask_weights>
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
    add_products(weights + weight_offset[i], inputs(i), sum);
  }
#pragma GCC unroll 4
  for (; i < depth; ++i) {
    if constexpr (ask_weights) __builtin_prefetch(ahead.weights + weight_offset[i]);
    add_products(weights + weight_offset[i], inputs(i), sum);
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
template <bool ask_weights>
HOST_DEVICE void accumulate_rows(int64_t depth, const Offsets& offset, const float* weights,
                                 const Ahead& ahead, const float* input, int lanes, bool first, float* tile) {
  for (int lane = 0; lane < lanes; lane += kTileVectors * kWidth) {
    const int left = lanes - lane;
    const float* x = input + lane;
    float* t = tile + lane;
    if (left > 2 * kWidth) {
      accumulate_registers<kTileVectors, ask_weights>(depth, offset, weights, ahead, x, first, t);
    } else if (left > kWidth) {
      accumulate_registers<2, ask_weights>(depth, offset, weights, ahead, x, first, t);
    } else {
      accumulate_registers<1, ask_weights>(depth, offset, weights, ahead, x, first, t);
    }
  }
}

void accumulate(int64_t depth, const Offsets& offset, const float* weights, const Ahead& ahead,
                const float* input, int lanes, bool first, float* tile) {
  if (ahead.weights) {
    accumulate_rows<true>(depth, offset, weights, ahead, input, lanes, first, tile);
  } else {
    accumulate_rows<false>(depth, offset, weights, ahead, input, lanes, first, tile);
  }
  for (int row = kTileRows; row < kConvRows; row += kTileRows) {
    const Ahead nothing{};  // once is enough
    accumulate_rows<false>(depth, offset, weights + row, nothing, input, lanes, first, tile + row * kLanes);
  }
}

// Where a tile's vectors lie in memory: each in one piece, or in several where image rows end.
class Places {
 public:
  Places(const StoreRun* run, const StoreRun* end) {
    for (int i = 0; i < kVectors; ++i) {
      first_[i] = count_;
      const int lane = i * kWidth;
      while (run != end && run->lane + run->length <= lane) ++run;
      for (const StoreRun* r = run; r != end && r->lane < lane + kWidth; ++r) {
        const int begin = r->lane < lane ? 0 : r->lane - lane;
        const int end_of_run = r->lane + r->length - lane;
        offset_[count_] = r->target - r->lane + lane;
        whole_[count_] = begin == 0 && end_of_run >= kWidth;
        mask_[count_++] = lanes_between(begin, end_of_run);
      }
    }
    first_[kVectors] = count_;
  }

  Vector load(const float* base, int i) const {
    Vector v = broadcast(0.0f);
    for (int p = first_[i]; p < first_[i + 1]; ++p) v = load_lanes(base + offset_[p], mask_[p], v);
    return v;
  }

  void store(float* base, int i, Vector v) const {
    for (int p = first_[i]; p < first_[i + 1]; ++p) {
      if (whole_[p]) {  // a masked store can be many times as slow
        store_vector(base + offset_[p], v);
      } else {
        store_lanes(base + offset_[p], mask_[p], v);
      }
    }
  }

 private:
  static constexpr int kMost = kVectors + kLanes;
  int count_ = 0;
  int first_[kVectors + 1];
  int64_t offset_[kMost];  // of a piece's lane 0
  bool whole_[kMost];      // all lanes
  Mask mask_[kMost];
};

// store() for `rows` rows at once.
template <int rows>
void store_rows(const float* tile, const EpilogueStep* steps, int64_t step_count, const Places& places,
                int64_t channel, int64_t channel_stride, float* y) {
  alignas(64) float other[rows * kLanes];
  Vector v[rows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) v[r][i] = load(tile + r * kLanes + i * kWidth);
  }
  for (int64_t s = 0; s < step_count; ++s) {
    if (steps[s].kind == EpilogueStep::kSum) {
      for (int r = 0; r < rows; ++r) {
        const float* base = steps[s].a + (channel + r) * channel_stride;
        for (int i = 0; i < kVectors; ++i) {
          store_vector(other + r * kLanes + i * kWidth, places.load(base, i));
        }
      }
    }
    apply_step(steps[s], channel, other, v);
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) places.store(y + (channel + r) * channel_stride, i, v[r][i]);
  }
}

void store(const float* tile, int rows, const EpilogueStep* steps, int64_t step_count, const StoreRun* runs,
           int64_t run_count, int64_t channel, int64_t channel_stride, float* y) {
  const Places places(runs, runs + run_count);
  int row = 0;
  for (; row + kStoredRows <= rows; row += kStoredRows) {
    store_rows<kStoredRows>(tile + row * kLanes, steps, step_count, places, channel + row, channel_stride, y);
  }
  for (; row < rows; ++row) {
    store_rows<1>(tile + row * kLanes, steps, step_count, places, channel + row, channel_stride, y);
  }
}

}  // namespace

extern const ConvKernels conv_kernels;
const ConvKernels conv_kernels = {
    kLanes, pack,         pack_rows,   accumulate, accumulate_in_place, accumulate_few_outputs,
    store,  kZeroKernels, kPairKernels};

}  // namespace ISA
