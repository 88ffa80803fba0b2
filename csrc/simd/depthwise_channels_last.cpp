// Depthwise convolution of channels-last tensors: a run of channels is summed over the taps in registers.
#include <cmath>

#include "channels_last.h"
#include "elementwise.h"
#include "vector.h"

namespace ISA {
namespace {

using Index = int64_t;

constexpr int kTogether = 3;  // positions that are summed together

Index clamp(Index v, Index low, Index high) { return v < low ? low : v > high ? high : v; }

// The taps [first, last) of an axis that lie in the image, and the position that tap 0 reads.
struct Taps {
  Index first, last, origin;
};

Taps valid_taps(Index out, Index stride, Index pad, Index dilation, Index kernel, Index size) {
  const Index origin = out * stride - pad;
  const Index first = clamp((dilation - 1 - origin) / dilation, 0, kernel);
  return {first, clamp((size - origin + dilation - 1) / dilation, first, kernel), origin};
}

// At which ends the inputs are cut off.
enum class Cut { none, low, both };

struct ValueRange {
  float low, high;
};

struct Operands {
  const float *image, *weights, *bias;
  ValueRange inputs, outputs;
};

// Channels [c, c + n * kWidth) of p neighbouring positions with the same taps, which share the weights'
// loads.
template <Cut cut, int p, int n>
HOST_DEVICE void convolve_run(const ConvGeometry& g, const Operands& o, Taps rows, Taps columns, Index c,
                              float* y) {
  const Index channels = g.in_channels, step = g.stride_width * channels;
  const Vector least = broadcast(o.inputs.low), most = broadcast(o.inputs.high);
  Vector sum[p][n];
#pragma GCC unroll 4
  for (int j = 0; j < p; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < n; ++i) sum[j][i] = load(o.bias + c + i * kWidth);
  }
  for (Index ky = rows.first; ky < rows.last; ++ky) {
    const Index row = (rows.origin + ky * g.dilation_height) * g.in_width + columns.origin;
    for (Index kx = columns.first; kx < columns.last; ++kx) {
      const float* x = o.image + (row + kx * g.dilation_width) * channels + c;
      const float* w = o.weights + (ky * g.kernel_width + kx) * channels + c;
#pragma GCC unroll 4
      for (int i = 0; i < n; ++i) {
        const Vector weight = load(w + i * kWidth);
#pragma GCC unroll 4
        for (int j = 0; j < p; ++j) {
          Vector v = load(x + j * step + i * kWidth);
          if (cut == Cut::low) v = cut_off(v, least);
          if (cut == Cut::both) v = cut_off(v, least, most);
          sum[j][i] = fma_vector(weight, v, sum[j][i]);
        }
      }
    }
  }
  const Vector low = broadcast(o.outputs.low), high = broadcast(o.outputs.high);
#pragma GCC unroll 4
  for (int j = 0; j < p; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < n; ++i) {
      store_vector(y + j * channels + c + i * kWidth, cut_off(sum[j][i], low, high));
    }
  }
}

// The same for one channel: where there are fewer than a vector has lanes.
void convolve_channel(const ConvGeometry& g, const Operands& o, Taps rows, Taps columns, Index c, float* y) {
  float sum = o.bias[c];
  for (Index ky = rows.first; ky < rows.last; ++ky) {
    const Index row = (rows.origin + ky * g.dilation_height) * g.in_width + columns.origin;
    for (Index kx = columns.first; kx < columns.last; ++kx) {
      const float v = o.image[(row + kx * g.dilation_width) * g.in_channels + c];
      const float w = o.weights[(ky * g.kernel_width + kx) * g.in_channels + c];
      sum = fused_multiply_add(w, clip_value(v, o.inputs.low, o.inputs.high), sum);
    }
  }
  y[c] = clip_value(sum, o.outputs.low, o.outputs.high);
}

// All channels of p positions.
template <Cut cut, int p>
void convolve_positions(const ConvGeometry& g, const Operands& o, Taps rows, Taps columns, float* y) {
  const Index channels = g.in_channels;
  Index c = 0;
  for (; c + 4 * kWidth <= channels; c += 4 * kWidth) {
    convolve_run<cut, p, 4>(g, o, rows, columns, c, y);
  }
  // The last vector may overlap the one before: the same values are written twice.
  for (; c < channels; c += kWidth) {
    convolve_run<cut, p, 1>(g, o, rows, columns, c + kWidth <= channels ? c : channels - kWidth, y);
  }
}

Taps valid_columns(const ConvGeometry& g, Index j) {
  return valid_taps(j, g.stride_width, g.pad_width, g.dilation_width, g.kernel_width, g.in_width);
}

template <Cut cut>
void convolve_row(const ConvGeometry& g, const Operands& o, Taps rows, float* y) {
  const Index channels = g.in_channels;
  for (Index j = 0; j < g.out_width;) {
    const Taps columns = valid_columns(g, j), last = valid_columns(g, j + kTogether - 1);
    if (channels < kWidth) {
      for (Index c = 0; c < channels; ++c) {
        convolve_channel(g, o, rows, columns, c, y + j * channels);
      }
      j += 1;
    } else if (j + kTogether <= g.out_width && columns.first == last.first && columns.last == last.last) {
      convolve_positions<cut, kTogether>(g, o, rows, columns, y + j * channels);
      j += kTogether;
    } else {
      convolve_positions<cut, 1>(g, o, rows, columns, y + j * channels);
      j += 1;
    }
  }
}

}  // namespace

void depthwise_channels_last(const ConvGeometry& g, const float* x, const float* weights, const float* bias,
                             float* y, float low_input, float high_input, float low, float high,
                             int threads) {
  const Index channels = g.in_channels, image_size = g.in_height * g.in_width * channels;
  const Cut cut = high_input != INFINITY ? Cut::both : low_input != -INFINITY ? Cut::low : Cut::none;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (Index r = 0; r < g.batch * g.out_height; ++r) {
    const Operands o{x + r / g.out_height * image_size, weights, bias, {low_input, high_input}, {low, high}};
    const Taps rows = valid_taps(r % g.out_height, g.stride_height, g.pad_height, g.dilation_height,
                                 g.kernel_height, g.in_height);
    float* to = y + r * g.out_width * channels;
    if (cut == Cut::none) {
      convolve_row<Cut::none>(g, o, rows, to);
    } else if (cut == Cut::low) {
      convolve_row<Cut::low>(g, o, rows, to);
    } else {
      convolve_row<Cut::both>(g, o, rows, to);
    }
  }
}

}  // namespace ISA
