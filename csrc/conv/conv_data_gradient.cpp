// The data gradient is a convolution of the output's gradient with the taps mirrored; only the order of its
// sum differs from the forward one.
#include <algorithm>

#include "conv/atrous_conv.h"
#include "conv/conv_gradient.h"
#include "conv/conv_weights.h"

namespace {

ConvGeometry mirrored(const ConvGeometry& g) {
  ConvGeometry m = g;
  std::swap(m.in_channels, m.out_channels);
  std::swap(m.in_height, m.out_height);
  std::swap(m.in_width, m.out_width);
  std::swap(m.in_plane, m.out_plane);
  m.pad_height = g.dilation_height * (g.kernel_height - 1) - g.pad_height;
  m.pad_width = g.dilation_width * (g.kernel_width - 1) - g.pad_width;
  // With a single channel there is nothing but taps; that kernel takes them in its own order.
  m.taps_first = !m.depthwise();
  return m;
}

}  // namespace

int64_t gradient_weights_size(const ConvGeometry& g) { return packed_weights_size(mirrored(g)); }

void pack_gradient_weights(const ConvGeometry& g, const float* weights, float* packed, int threads) {
  const ConvGeometry m = mirrored(g);
  const int64_t taps = g.taps(), tile_size = m.depth() * kConvRows;
  if (m.depthwise()) {
    for (int64_t c = 0; c < g.in_channels; ++c) {
      std::reverse_copy(weights + c * taps, weights + (c + 1) * taps, packed + c * taps);
    }
    return;
  }
#pragma omp parallel for num_threads(threads)
  for (int64_t i = 0; i < m.groups * m.row_tiles(); ++i) {
    const int64_t group = i / m.row_tiles(), first = i % m.row_tiles() * kConvRows;
    const int64_t rows = std::min<int64_t>(kConvRows, m.rows() - first);
    float* tile = packed + i * tile_size;
    if (rows < kConvRows) std::fill(tile, tile + tile_size, 0.0f);
    for (int64_t c = 0; c < m.channels(); ++c) {
      const float* w = weights + ((group * m.channels() + c) * m.rows() + first) * taps;
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t tap = 0; tap < taps; ++tap) tile[(tap * m.channels() + c) * kConvRows + row] = *w++;
      }
    }
  }
}

void conv_data_gradient(const ConvGeometry& g, const float* dy, const float* packed, float* dx, int threads) {
  atrous_conv(mirrored(g), dy, packed, {}, dx, threads);
}
