// Interpolation of channels-last tensors: the four values around a position are runs of channels.
#include <cstring>

#include "channels_last.h"
#include "interp.h"

namespace ISA {

namespace {

using Index = std::int64_t;

// One position: a and b are the input rows above and below.
void interp_pixel(const float* a, const float* b, InterpTap row, InterpTap column, Index channels, float* y) {
  const float *a_low = a + column.low * channels, *a_high = a + column.high * channels;
  const float *b_low = b + column.low * channels, *b_high = b + column.high * channels;
#pragma omp simd
  for (Index c = 0; c < channels; ++c) {
    y[c] = interp_blend(
        row.low_weight, interp_blend(column.low_weight, a_low[c], column.high_weight, a_high[c]),
        row.high_weight, interp_blend(column.low_weight, b_low[c], column.high_weight, b_high[c]));
  }
}

}  // namespace

void interp_channels_last(const float* x, float* y, Index batch, Index channels, Index full_height,
                          Index full_width, Index top, Index left, Index height, Index width,
                          Index out_height, Index out_width, Index y_pixel, bool half_pixel, int threads) {
  const bool copy = height == out_height && width == out_width;
  const float row_ratio = interp_ratio(height, out_height, half_pixel);
  const float column_ratio = interp_ratio(width, out_width, half_pixel);
  const Index stride = full_width * channels;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (Index r = 0; r < batch * out_height; ++r) {
    const float* image = x + ((r / out_height * full_height + top) * full_width + left) * channels;
    const InterpTap row = interp_tap(r % out_height, row_ratio, height, half_pixel);
    float* to = y + r * out_width * y_pixel;
    for (Index j = 0; j < out_width; ++j, to += y_pixel) {
      if (copy) {
        std::memcpy(to, image + r % out_height * stride + j * channels, channels * sizeof(float));
      } else {
        const InterpTap column = interp_tap(j, column_ratio, width, half_pixel);
        interp_pixel(image + row.low * stride, image + row.high * stride, row, column, channels, to);
      }
    }
  }
}

}  // namespace ISA
