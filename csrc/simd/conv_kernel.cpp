// Convolution micro-kernels. Lanes are output positions, rows are output channels, both independent sums.
#include "atrous_conv.h"
#include "conv_tile.h"
#include "epilogue_vector.h"
#include "host_device.h"
#include "vector.h"

namespace ISA {
namespace {

#if defined(ISA_AVX512)
constexpr int kTileRows = 8;  // with kTileVectors: as many sums as there are registers for
#else
constexpr int kTileRows = 4;
#endif
constexpr int kTileVectors = 3;

// kTileRows rows and `vectors` vectors of lanes, all sums in registers.
template <int vectors, bool ask>
HOST_DEVICE void accumulate_registers(int64_t depth, const int64_t* weight_offset, const float* weights,
                                      const float* next_weights, const float* input, bool first,
                                      float* tile) {
  Vector sum[kTileRows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = broadcast(0.0f);
      // Partial sums may have left the nearest cache since the block before.
      if (!first) __builtin_prefetch(tile + r * kConvLanes + v * kWidth);
    }
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < depth; ++i) {
    const float* w = weights + weight_offset[i];
    if constexpr (ask) __builtin_prefetch(next_weights + weight_offset[i]);
    Vector x[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) x[v] = load(input + i * kConvLanes + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const Vector wr = broadcast(w[r]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[r][v] = fma_vector(wr, x[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      float* t = tile + r * kConvLanes + v * kWidth;
      store_vector(t, first ? sum[r][v] : load(t) + sum[r][v]);
    }
  }
}

template <bool ask>
HOST_DEVICE void accumulate_tile(int64_t depth, const int64_t* weight_offset, const float* weights,
                                 const float* next_weights, const float* input, int lanes, bool first,
                                 float* tile) {
  for (int lane = 0; lane < lanes; lane += kTileVectors * kWidth) {
    const int left = lanes - lane;
    for (int row = 0; row < kConvRows; row += kTileRows) {
      const float* w = weights + row;
      float* t = tile + row * kConvLanes + lane;
      if (left > 2 * kWidth) {
        accumulate_registers<kTileVectors, ask>(depth, weight_offset, w, next_weights, input + lane, first,
                                                t);
      } else if (left > kWidth) {
        accumulate_registers<2, ask>(depth, weight_offset, w, next_weights, input + lane, first, t);
      } else {
        accumulate_registers<1, ask>(depth, weight_offset, w, next_weights, input + lane, first, t);
      }
    }
  }
}

void accumulate(int64_t depth, const int64_t* weight_offset, const float* weights, const float* next_weights,
                const float* input, int lanes, bool first, float* tile) {
  if (next_weights) {
    accumulate_tile<true>(depth, weight_offset, weights, next_weights, input, lanes, first, tile);
  } else {
    accumulate_tile<false>(depth, weight_offset, weights, nullptr, input, lanes, first, tile);
  }
}

void pack(const CopyRun* runs, int64_t count, const float* channel, int64_t stride, float* packed) {
  for (const CopyRun* r = runs; r != runs + count; ++r) {
    float* target = packed + r->target;
    if (r->source < 0) {
      for (int i = 0; i < r->length; ++i) target[i] = 0.0f;
    } else if (stride == 1) {
      copy_floats(channel + r->source, r->length, target);
    } else {
      for (int i = 0; i < r->length; ++i) target[i] = channel[r->source + i * stride];
    }
  }
}

constexpr int kVectors = kConvLanes / kWidth;

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
        offset_[count_] = r->target - r->lane + lane;
        mask_[count_++] = lanes_between(begin, r->lane + r->length - lane);
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
    for (int p = first_[i]; p < first_[i + 1]; ++p) store_lanes(base + offset_[p], mask_[p], v);
  }

 private:
  static constexpr int kMost = kVectors + kConvLanes;
  int count_ = 0;
  int first_[kVectors + 1];
  int64_t offset_[kMost];  // of a piece's lane 0
  Mask mask_[kMost];
};

void store(const float* tile, int rows, const EpilogueStep* steps, int64_t step_count, const StoreRun* runs,
           int64_t run_count, int64_t channel, int64_t channel_stride, float* y) {
  const Places places(runs, runs + run_count);
  alignas(64) float other[kConvLanes];
  for (int row = 0; row < rows; ++row, ++channel, tile += kConvLanes) {
    Vector v[kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) v[i] = load(tile + i * kWidth);
    for (int64_t s = 0; s < step_count; ++s) {
      if (steps[s].kind == EpilogueStep::kSum) {
        const float* base = steps[s].a + channel * channel_stride;
        for (int i = 0; i < kVectors; ++i) store_vector(other + i * kWidth, places.load(base, i));
      }
      apply_step(steps[s], channel, other, v);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) places.store(y + channel * channel_stride, i, v[i]);
  }
}

}  // namespace

extern const ConvKernels conv_kernels;
const ConvKernels conv_kernels = {pack, accumulate, store};

}  // namespace ISA
