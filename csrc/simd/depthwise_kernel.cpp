// Bound by memory: each input row is copied once, with a border of zeros, to where all its readers find it
// near; outputs are summed and taken through the epilogue in registers, and written once.
#include <cstdlib>

#include "conv_tile.h"
#include "depthwise.h"
#include "epilogue_vector.h"
#include "vector.h"

namespace ISA {
namespace {

constexpr int kLanes = 4 * kWidth;  // outputs of a row that are summed together

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

struct Rows {
  int64_t first, last;
};

// Kernel rows [first, last) that lie in the image for output row y.
Rows valid_rows(const ConvGeometry& g, int64_t y) {
  const int64_t top = y * g.stride_height - g.pad_height;
  const int64_t first = clamp(divide_up(-top, g.dilation_height), 0, g.kernel_height);
  return {first, clamp(divide_up(g.in_height - top, g.dilation_height), first, g.kernel_height)};
}

// Input rows [first, last) that any output may read.
Rows input_rows(const ConvGeometry& g) {
  const int64_t reach = (g.kernel_height - 1) * g.dilation_height + 1;
  const int64_t first = clamp(-g.pad_height, 0, g.in_height);
  return {first, clamp((g.out_height - 1) * g.stride_height - g.pad_height + reach, first, g.in_height)};
}

// One plane's rows with zeros left and right, each as `stride_width` phases (every stride-th column), so that
// the inputs of neighbouring outputs are neighbours whatever the stride.
class PaddedRows {
 public:
  explicit PaddedRows(const ConvGeometry& g)
      : g_(g),
        held_(input_rows(g)),
        phase_size_(divide_up(g.in_width + 2 * g.pad_width, g.stride_width) + g.kernel_width + 2 * kLanes) {
    rows_ = static_cast<float*>(
        std::calloc((held_.last - held_.first) * g.stride_width * phase_size_ + 1, sizeof(float)));
    for (int64_t kx = 0; kx < g.kernel_width; ++kx) tap_[kx] = place(kx * g.dilation_width);
  }
  ~PaddedRows() { std::free(rows_); }
  PaddedRows(const PaddedRows&) = delete;
  PaddedRows& operator=(const PaddedRows&) = delete;

  bool allocated() const { return rows_ != nullptr; }

  void copy(int64_t y, const float* source) {
    const int64_t stride = g_.stride_width;
    for (int64_t first = 0; first < stride && first < g_.in_width; ++first) {
      float* target = row(y) + place(g_.pad_width + first);
      const int64_t count = divide_up(g_.in_width - first, stride);
      if (stride == 1) {
        copy_floats(source, count, target);
      } else if (stride == 2) {
        for (int64_t i = 0; i < count; ++i) target[i] = source[first + 2 * i];
      } else {
        for (int64_t i = 0; i < count; ++i) target[i] = source[first + stride * i];
      }
    }
  }

  float* row(int64_t y) const { return rows_ + (y - held_.first) * g_.stride_width * phase_size_; }
  Rows held() const { return held_; }
  // Where in a row the input of output column 0 and kernel column kx lies; those of the next outputs follow.
  int64_t tap(int64_t kx) const { return tap_[kx]; }

 private:
  int64_t place(int64_t x) const { return x % g_.stride_width * phase_size_ + x / g_.stride_width; }

  const ConvGeometry& g_;
  const Rows held_;
  const int64_t phase_size_;
  float* rows_;
  int64_t tap_[kDepthwiseTaps];
};

// An output channel of one image: its weights, its epilogue and where it goes.
struct Channel {
  const float* weights;
  const EpilogueStep* steps;
  int64_t step_count, number, offset;
  float* y;
};

// `count` outputs of row oy from column x on, in n vectors.
template <int n>
HOST_DEVICE void convolve_outputs(const ConvGeometry& g, const PaddedRows& input, const Channel& c, Rows rows,
                                  int64_t oy, int64_t x, int count) {
  Vector sum[n];
#pragma GCC unroll 4
  for (int i = 0; i < n; ++i) sum[i] = broadcast(0.0f);
  for (int64_t ky = rows.first; ky < rows.last; ++ky) {
    const float* row = input.row(oy * g.stride_height - g.pad_height + ky * g.dilation_height) + x;
    for (int64_t kx = 0; kx < g.kernel_width; ++kx) {
      const float* from = row + input.tap(kx);
      const Vector tap = broadcast(c.weights[ky * g.kernel_width + kx]);
#pragma GCC unroll 4
      for (int i = 0; i < n; ++i) sum[i] = fma_vector(tap, load(from + i * kWidth), sum[i]);
    }
  }
  alignas(64) float lanes[kLanes];
  const int64_t at = c.offset + oy * g.out_width + x;
  for (int64_t s = 0; s < c.step_count; ++s) {
    if (c.steps[s].kind == EpilogueStep::kSum) copy_floats(c.steps[s].a + at, count, lanes);
    apply_step(c.steps[s], c.number, lanes, sum);
  }
#pragma GCC unroll 4
  for (int i = 0; i < n; ++i) store_vector(lanes + i * kWidth, sum[i]);
  copy_floats(lanes, count, c.y + at);
}

void convolve_plane(const ConvGeometry& g, const float* plane, const Channel& c, PaddedRows* input) {
  int64_t copied = input->held().first;
  for (int64_t oy = 0; oy < g.out_height; ++oy) {
    const Rows rows = valid_rows(g, oy);
    if (rows.last > rows.first) {
      // A few rows ahead: reading back what has only just been written would stall.
      const int64_t needed = oy * g.stride_height - g.pad_height + (rows.last - 1) * g.dilation_height + 1;
      const int64_t until = clamp(needed + 3, copied, input->held().last);
      for (; copied < until; ++copied) input->copy(copied, plane + copied * g.in_width);
    }
    for (int64_t x = 0; x < g.out_width; x += kLanes) {
      const int count = static_cast<int>(clamp(g.out_width - x, 1, kLanes));
      if (count > 3 * kWidth) {
        convolve_outputs<4>(g, *input, c, rows, oy, x, count);
      } else if (count > 2 * kWidth) {
        convolve_outputs<3>(g, *input, c, rows, oy, x, count);
      } else if (count > kWidth) {
        convolve_outputs<2>(g, *input, c, rows, oy, x, count);
      } else {
        convolve_outputs<1>(g, *input, c, rows, oy, x, count);
      }
    }
  }
}

}  // namespace

bool depthwise_conv(const ConvGeometry& g, const float* x, const float* weights, const EpilogueStep* steps,
                    std::int64_t step_count, float* y, int threads) {
  const int64_t planes = g.batch * g.out_channels;
  bool complete = true;
#pragma omp parallel num_threads(threads) reduction(&& : complete)
  {
    PaddedRows input(g);
    complete = input.allocated();
#pragma omp for schedule(static)
    for (int64_t p = 0; p < planes; ++p) {
      if (!complete) continue;
      const int64_t image = p / g.out_channels, channel = p % g.out_channels;
      const int64_t source = image * g.in_channels + channel / g.rows();
      const int64_t offset = p * g.out_plane;
      const Channel c{weights + channel * g.taps(), steps, step_count, channel, offset, y};
      convolve_plane(g, x + source * g.in_plane, c, &input);
    }
  }
  return complete;
}

}  // namespace ISA
