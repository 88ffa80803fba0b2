#include <vector>

#include "conv/conv_gradient.h"
#include "conv/simd/lane_dot.h"

bool small_weight_gradient_applies(const ConvGeometry& g) {
  const int64_t positions = g.out_height * g.out_width, size = g.rows() * g.depth();
  return size <= 1200 && size * positions <= 1'000'000 && positions >= 32;
}

namespace {

// What one channel and tap multiply the gradient with: an input for each output position, 0 in the padding.
void column(const ConvGeometry& g, const float* plane, int64_t tap, float* values) {
  const int64_t dy = tap / g.kernel_width * g.dilation_height - g.pad_height;
  const int64_t dx = tap % g.kernel_width * g.dilation_width - g.pad_width;
  for (int64_t y = 0; y < g.out_height; ++y) {
    const int64_t row = y * g.stride_height + dy;
    for (int64_t x = 0; x < g.out_width; ++x) {
      const int64_t at = x * g.stride_width + dx;
      const bool inside = row >= 0 && row < g.in_height && at >= 0 && at < g.in_width;
      *values++ = inside ? plane[row * g.in_width + at] : 0.0f;
    }
  }
}

}  // namespace

void small_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw, int threads) {
  const auto dot = SELECT_ISA(lane_dot);
  const int64_t positions = g.out_height * g.out_width, area = g.in_height * g.in_width;
#pragma omp parallel for num_threads(threads)
  for (int64_t i = 0; i < g.groups * g.depth(); ++i) {
    const int64_t group = i / g.depth(), k = i % g.depth();
    std::vector<float> values(positions);
    for (int64_t n = 0; n < g.batch; ++n) {
      const int64_t channel = n * g.in_channels + group * g.channels() + k / g.taps();
      column(g, x + channel * area, k % g.taps(), values.data());
      for (int64_t row = 0; row < g.rows(); ++row) {
        const int64_t out = group * g.rows() + row;
        const bool corner = row >= g.rows() / 4 * 4 && k >= g.depth() / 4 * 4;
        dw[out * g.depth() + k] +=
            dot(dy + (n * g.out_channels + out) * positions, values.data(), positions, corner);
      }
    }
  }
}
