// Convolution micro-kernels. Lanes are output positions, rows are output channels, both independent sums.
#include "atrous_conv.h"
#include "conv_tile.h"
#include "elementwise.h"
#include "eltwise.h"
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
      store_vector(t, first ? sum[r][v] : add(load(t), sum[r][v]));
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

#ifdef ISA_AVX512
HOST_DEVICE void copy(const float* source, int length, float* target) {
  for (; length >= 16; length -= 16, source += 16, target += 16) store_vector(target, load(source));
  if (length > 0) {
    const Mask m = first_lanes(length);
    _mm512_mask_storeu_ps(target, m, load(source, m));
  }
}
#else
HOST_DEVICE void copy(const float* source, int length, float* target) {
  for (int i = 0; i < length; ++i) target[i] = source[i];
}
#endif

void pack(const CopyRun* runs, int64_t count, const float* channel, int64_t stride, float* packed) {
  for (const CopyRun* r = runs; r != runs + count; ++r) {
    float* target = packed + r->target;
    if (r->source < 0) {
      for (int i = 0; i < r->length; ++i) target[i] = 0.0f;
    } else if (stride == 1) {
      copy(channel + r->source, r->length, target);
    } else {
      for (int i = 0; i < r->length; ++i) target[i] = channel[r->source + i * stride];
    }
  }
}

// One step for one channel's lanes. Plain loops: the compiler makes them vectors, and every set has the same
// bits.
HOST_DEVICE void apply(const EpilogueStep& step, int64_t channel, const StoreRun* runs, int64_t run_count,
                       int64_t channel_offset, float* lanes) {
  const float a = step.kind < EpilogueStep::kSum ? step.a[channel] : 0.0f;
  switch (step.kind) {
    case EpilogueStep::kBias:
      for (int i = 0; i < kConvLanes; ++i) lanes[i] = lanes[i] + a;
      break;
    case EpilogueStep::kBatchNorm: {
      const float deviation = step.b[channel];
      for (int i = 0; i < kConvLanes; ++i) lanes[i] = batch_norm_value(lanes[i], a, deviation);
      break;
    }
    case EpilogueStep::kScale:
      for (int i = 0; i < kConvLanes; ++i) lanes[i] = lanes[i] * a;
      break;
    case EpilogueStep::kSum:
      for (const StoreRun* r = runs; r != runs + run_count; ++r) {
        const float* other = step.a + channel_offset + r->target;
        float* v = lanes + r->lane;
        if (step.after) {
          for (int i = 0; i < r->length; ++i) v[i] = weighted_sum(step.second, other[i], step.first, v[i]);
        } else {
          for (int i = 0; i < r->length; ++i) v[i] = weighted_sum(step.first, v[i], step.second, other[i]);
        }
      }
      break;
    case EpilogueStep::kRelu:
      for (int i = 0; i < kConvLanes; ++i) lanes[i] = relu_value(lanes[i], step.first);
      break;
    case EpilogueStep::kClip:
      for (int i = 0; i < kConvLanes; ++i) lanes[i] = clip_value(lanes[i], step.first, step.second);
      break;
  }
}

void store(float* tile, int rows, const EpilogueStep* steps, int64_t step_count, const StoreRun* runs,
           int64_t run_count, int64_t channel, int64_t channel_stride, float* y) {
  for (int row = 0; row < rows; ++row, ++channel, tile += kConvLanes) {
    for (int64_t s = 0; s < step_count; ++s) {
      apply(steps[s], channel, runs, run_count, channel * channel_stride, tile);
    }
    for (const StoreRun* r = runs; r != runs + run_count; ++r) {
      copy(tile + r->lane, r->length, y + channel * channel_stride + r->target);
    }
  }
}

}  // namespace

extern const ConvKernels conv_kernels;
const ConvKernels conv_kernels = {pack, accumulate, store};

}  // namespace ISA
