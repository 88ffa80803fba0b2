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
template <int vectors>
HOST_DEVICE void accumulate_registers(int64_t depth, const int64_t* weight_offset, const float* weights,
                                      const float* input, bool first, float* tile) {
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

void accumulate(int64_t depth, const int64_t* weight_offset, const float* weights, const float* input,
                int lanes, bool first, float* tile) {
  for (int lane = 0; lane < lanes; lane += kTileVectors * kWidth) {
    const int left = lanes - lane;
    for (int row = 0; row < kConvRows; row += kTileRows) {
      const float* w = weights + row;
      float* t = tile + row * kConvLanes + lane;
      if (left > 2 * kWidth) {
        accumulate_registers<kTileVectors>(depth, weight_offset, w, input + lane, first, t);
      } else if (left > kWidth) {
        accumulate_registers<2>(depth, weight_offset, w, input + lane, first, t);
      } else {
        accumulate_registers<1>(depth, weight_offset, w, input + lane, first, t);
      }
    }
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

void store(const float* tile, int rows, const EpilogueStep* steps, int64_t step_count, const StoreRun* runs,
           int64_t run_count, int64_t channel, int64_t channel_stride, float* y) {
  constexpr int kVectors = kConvLanes / kWidth;
  alignas(64) float lanes[kConvLanes];
  for (int row = 0; row < rows; ++row, ++channel, tile += kConvLanes) {
    Vector v[kVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) v[i] = load(tile + i * kWidth);
    for (int64_t s = 0; s < step_count; ++s) {
      if (steps[s].kind == EpilogueStep::kSum) {
        for (const StoreRun* r = runs; r != runs + run_count; ++r) {
          copy_floats(steps[s].a + channel * channel_stride + r->target, r->length, lanes + r->lane);
        }
      }
      apply_step(steps[s], channel, lanes, v);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) store_vector(lanes + i * kWidth, v[i]);
    for (const StoreRun* r = runs; r != runs + run_count; ++r) {
      copy_floats(lanes + r->lane, r->length, y + channel * channel_stride + r->target);
    }
  }
}

}  // namespace

extern const ConvKernels conv_kernels;
const ConvKernels conv_kernels = {pack, accumulate, store};

}  // namespace ISA
