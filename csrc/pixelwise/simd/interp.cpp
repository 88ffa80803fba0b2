// Interpolation by rows: an input row is stretched to the output's width once, then pairs of stretched rows
// are blended. The same products and sums as interp_point, in the same order.
#include "pixelwise/interp.h"

#include <omp.h>

#include <cstring>

namespace ISA {

namespace {

using Index = std::int64_t;

struct Columns {
  std::int32_t* low;
  std::int32_t* high;
  float* low_weight;
  float* high_weight;
};

void stretch(const float* row, float* y, Columns c, Index count) {
#pragma omp simd
  for (Index j = 0; j < count; ++j) {
    y[j] = interp_blend(c.low_weight[j], row[c.low[j]], c.high_weight[j], row[c.high[j]]);
  }
}

// rows: two stretched input rows, kept from one output row to the next.
void interp_plane(const float* x, Index stride, float* y, Index height, Index out_height, Index out_width,
                  bool half_pixel, Columns columns, float* rows) {
  const float ratio = interp_ratio(height, out_height, half_pixel);
  Index kept[2] = {-1, -1};  // which input row each of the two is
  const auto stretched = [&](Index row, Index keep) {
    for (Index slot = 0; slot < 2; ++slot) {
      if (kept[slot] == row) return rows + slot * out_width;
    }
    const Index slot = kept[0] == keep ? 1 : 0;
    kept[slot] = row;
    stretch(x + row * stride, rows + slot * out_width, columns, out_width);
    return rows + slot * out_width;
  };
  for (Index i = 0; i < out_height; ++i) {
    const InterpTap tap = interp_tap(i, ratio, height, half_pixel);
    const float* low = stretched(tap.low, tap.high);
    const float* high = stretched(tap.high, tap.low);
    float* to = y + i * out_width;
#pragma omp simd
    for (Index j = 0; j < out_width; ++j) {
      to[j] = interp_blend(tap.low_weight, low[j], tap.high_weight, high[j]);
    }
  }
}

}  // namespace

void interp(const float* x, float* y, Index planes, Index full_height, Index full_width, Index top,
            Index left, Index height, Index width, Index out_height, Index out_width, bool half_pixel,
            int threads) {
  const bool copy = height == out_height && width == out_width;
  auto* const indices = new std::int32_t[2 * out_width];
  auto* const weights = new float[2 * out_width];
  auto* const rows = new float[2 * threads * out_width];
  const Columns columns{indices, indices + out_width, weights, weights + out_width};
  const float ratio = interp_ratio(width, out_width, half_pixel);
  for (Index j = 0; j < out_width; ++j) {
    const InterpTap tap = interp_tap(j, ratio, width, half_pixel);
    columns.low[j] = static_cast<std::int32_t>(tap.low);
    columns.high[j] = static_cast<std::int32_t>(tap.high);
    columns.low_weight[j] = tap.low_weight;
    columns.high_weight[j] = tap.high_weight;
  }
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (Index plane = 0; plane < planes; ++plane) {
    const float* from = x + (plane * full_height + top) * full_width + left;
    float* to = y + plane * out_height * out_width;
    if (copy) {
      for (Index i = 0; i < height; ++i) {
        std::memcpy(to + i * width, from + i * full_width, width * sizeof(float));
      }
    } else {
      interp_plane(from, full_width, to, height, out_height, out_width, half_pixel, columns,
                   rows + 2 * omp_get_thread_num() * out_width);
    }
  }
  delete[] rows;
  delete[] weights;
  delete[] indices;
}

}  // namespace ISA
