// Micro-kernels of the weight gradient. Lanes are output channels, rows are input channels, both independent
// sums; the positions are the sum's terms.
#include "conv/simd/weight_gradient.h"
#include "platform/host_device.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

#if defined(ISA_AVX512) || defined(ISA_NEON)
constexpr int kTileRows = 8;  // with 3 vectors: as many sums as there are registers for
#else
constexpr int kTileRows = 4;
#endif

template <int rows, int vectors>
HOST_DEVICE void accumulate_registers(const InputRun* runs, int64_t count, const float* const* inputs,
                                      int64_t stride, const float* dy, int pitch, float* tile) {
  Vector sum[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[r][v] = broadcast(0.0f);
  }
  for (const InputRun* run = runs; run != runs + count; ++run) {
    const float* gradient = dy + static_cast<int64_t>(run->position) * pitch;
    const float* x[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) x[r] = inputs[r] + run->source;
    for (int64_t i = 0, end = run->length * stride; i < end; i += stride, gradient += pitch) {
      Vector g[vectors];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) g[v] = load(gradient + v * kWidth);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const Vector xr = broadcast(x[r][i]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sum[r][v] = fma_vector(xr, g[v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      float* t = tile + r * pitch + v * kWidth;
      store_vector(t, load(t) + sum[r][v]);
    }
  }
}

template <int rows>
HOST_DEVICE void accumulate_rows(const InputRun* runs, int64_t count, const float* const* inputs,
                                 int64_t stride, const float* dy, int lanes, int pitch, float* tile) {
  for (int lane = 0; lane < lanes; lane += 3 * kWidth) {
    const int left = lanes - lane;
    if (left > 2 * kWidth) {
      accumulate_registers<rows, 3>(runs, count, inputs, stride, dy + lane, pitch, tile + lane);
    } else if (left > kWidth) {
      accumulate_registers<rows, 2>(runs, count, inputs, stride, dy + lane, pitch, tile + lane);
    } else {
      accumulate_registers<rows, 1>(runs, count, inputs, stride, dy + lane, pitch, tile + lane);
    }
  }
}

void accumulate(const InputRun* runs, int64_t count, const float* const* inputs, int rows, int64_t stride,
                const float* dy, int lanes, int pitch, float* tile) {
  for (int row = 0; row < rows;) {
    const float* const* x = inputs + row;
    float* t = tile + row * pitch;
    if (rows - row >= kTileRows) {
      accumulate_rows<kTileRows>(runs, count, x, stride, dy, lanes, pitch, t);
      row += kTileRows;
    } else if (rows - row >= 2) {
      accumulate_rows<2>(runs, count, x, stride, dy, lanes, pitch, t);
      row += 2;
    } else {
      accumulate_rows<1>(runs, count, x, stride, dy, lanes, pitch, t);
      row += 1;
    }
  }
}

#if defined(ISA_AVX512)
constexpr int kBlock = 16;

// 16 vectors of 16 floats, transposed: pairs of floats, of doubles, then of 128-bit lanes change places.
HOST_DEVICE void transpose_block(const float* dy, int64_t row_stride, int pitch, float* target) {
  Vector r[16], t[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = load(dy + i * row_stride);
#pragma GCC unroll 16
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[4 * i + j]), b = _mm512_castps_pd(t[4 * i + 2 + j]);
      r[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      r[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 8; ++i) {
    store_vector(target + i * pitch, _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88));
    store_vector(target + (8 + i) * pitch, _mm512_shuffle_f32x4(t[i], t[8 + i], 0xdd));
  }
}
#else
constexpr int kBlock = 8;

HOST_DEVICE void transpose_block(const float* dy, int64_t row_stride, int pitch, float* target) {
  for (int p = 0; p < kBlock; ++p) {
    for (int i = 0; i < kBlock; ++i) target[p * pitch + i] = dy[i * row_stride + p];
  }
}
#endif

void transpose(const float* dy, int64_t row_stride, int lanes, int pitch, int64_t positions, float* target) {
  const int whole_lanes = lanes - lanes % kBlock;
  const int64_t whole_positions = positions - positions % kBlock;
  for (int64_t p = 0; p < whole_positions; p += kBlock) {
    for (int lane = 0; lane < whole_lanes; lane += kBlock) {
      transpose_block(dy + lane * row_stride + p, row_stride, pitch, target + p * pitch + lane);
    }
  }
  for (int64_t p = 0; p < positions; ++p) {
    for (int lane = p < whole_positions ? whole_lanes : 0; lane < pitch; ++lane) {
      target[p * pitch + lane] = lane < lanes ? dy[lane * row_stride + p] : 0.0f;
    }
  }
}

}  // namespace

extern const WeightGradientKernels weight_gradient_kernels;
const WeightGradientKernels weight_gradient_kernels = {transpose, accumulate};

}  // namespace ISA
