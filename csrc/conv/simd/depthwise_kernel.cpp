// Bound by memory: inputs are read where they lie, each once for several output rows; outputs are summed and
// taken through the epilogue in registers, and written once.
#include "conv/simd/depthwise.h"
#include "conv/simd/depthwise_channel.h"
#include "conv/simd/depthwise_flat.h"

namespace ISA {
namespace {

// Output rows, and vectors of a row, that are summed together: as many as there are registers for, beside the
// nine weights of a 3x3 kernel.
#if defined(ISA_AVX512) || defined(ISA_NEON)
constexpr int kTogether = 4;
#else
constexpr int kTogether = 2;
#endif
constexpr int kVectors = 2;

constexpr int kAny = 0;  // as a stride: that of the geometry

// Output rows `first`, first + step, ...: as far from each other as kernel rows are, they share input rows.
struct Rows {
  int64_t first, step;
};

// The inputs of a vector of outputs, every `stride`-th from `from` on; all of them lie in the row.
template <int stride>
HOST_DEVICE Vector load_inside(const float* from) {
  return stride == 2 ? even_lanes(load(from), load(from + kWidth)) : load(from);
}

// Which inputs of a vector of outputs lie in the row, if the first is in `column`.
template <int stride>
struct Edges {
  Edges() = default;
  Edges(int64_t column, int64_t in_width) {
    for (int i = 0; i < stride; ++i) {
      const int64_t first = column + i * kWidth;
      const int begin = static_cast<int>(first > 0 ? 0 : first < -kWidth ? kWidth : -first);
      const int64_t rest = in_width - first;
      lanes[i] = lanes_between(begin, static_cast<int>(rest < begin ? begin : rest > kWidth ? kWidth : rest));
    }
  }
  // Those inputs, and 0 for the others; the geometry's stride is for kAny only.
  __attribute__((always_inline)) Vector load_inputs(const float* from, int64_t) const {
    if (stride == 1) return load(from, lanes[0]);
    return even_lanes(load(from, lanes[0]), load(from + kWidth, lanes[stride - 1]));
  }
  Mask lanes[stride];
};
template <>
struct Edges<kAny> {
  Edges() = default;
  Edges(int64_t column, int64_t in_width) : first(-column), last(in_width - column) {}
  Vector load_inputs(const float* from, int64_t stride) const {
    alignas(64) float lanes[kWidth];
    for (int i = 0; i < kWidth; ++i) {
      lanes[i] = i * stride >= first && i * stride < last ? from[i * stride] : 0.0f;
    }
    return load(lanes);
  }
  int64_t first, last;
};

// Takes the sums of n vectors of outputs in each of `rows` rows, of which the first `count` columns from x on
// are there, through the steps and writes them.
template <int rows, int n>
HOST_DEVICE void finish(const ConvGeometry& g, const Channel& c, Rows at, int64_t x, int64_t count,
                        Vector (&sum)[1][rows * n]) {
  alignas(64) float others[rows * n * kWidth];
  const int64_t first = c.offset + at.first * g.out_width + x, step = at.step * g.out_width;
  for (int64_t s = 0; s < c.step_count; ++s) {
    if (c.steps[s].kind == EpilogueStep::kSum) {
      for (int j = 0; j < rows; ++j) {
        copy_floats(c.steps[s].a + first + j * step, count, others + j * n * kWidth);
      }
    }
    apply_step(c.steps[s], c.number, others, sum);
  }
#pragma GCC unroll 8
  for (int j = 0; j < rows; ++j) {
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) {
      float* to = c.y + first + j * step + i * kWidth;
      if (n > 1) {
        store_vector(to, sum[0][j * n + i]);
      } else {
        store_lanes(to, lanes_between(0, static_cast<int>(count)), sum[0][j]);
      }
    }
  }
}

// The sums of n vectors of outputs in `rows` rows, the first of which reads from column `left` on: all inputs
// lie in the image's columns if n > 1, else those beside count as 0. Each sum runs over the taps in order;
// rows above and below the image are skipped.
template <int stride>
struct Kernel3x3 {
  Vector w[9];

  template <int rows, int n>
  __attribute__((always_inline)) void sum(const ConvGeometry& g, const Channel& c, int64_t top, int64_t left,
                                          Vector (&sum)[rows * n]) const {
    Edges<stride> edges[3];
    for (int kx = 0; n == 1 && kx < 3; ++kx) edges[kx] = {left + kx * g.dilation_width, g.in_width};
    const float* row = c.x + top * g.in_width + left;
#pragma GCC unroll 16
    for (int r = 0; r < (rows - 1) * stride + 3; ++r, top += g.dilation_height, row += c.row_step) {
      if (top < 0 || top >= g.in_height) continue;
#pragma GCC unroll 3
      for (int kx = 0; kx < 3; ++kx) {
        const float* from = row + kx * g.dilation_width;
        Vector v[n];
#pragma GCC unroll 8
        for (int i = 0; i < n; ++i) {
          v[i] =
              n > 1 ? load_inside<stride>(from + i * kWidth * stride) : edges[kx].load_inputs(from, stride);
        }
#pragma GCC unroll 8
        for (int j = 0; j < rows; ++j) {
          const int ky = r - j * stride;
          if (ky < 0 || ky > 2) continue;
#pragma GCC unroll 8
          for (int i = 0; i < n; ++i) sum[j * n + i] = fma_vector(w[3 * ky + kx], v[i], sum[j * n + i]);
        }
      }
    }
  }
};

// The same for any kernel, one row at a time.
template <int stride>
struct AnyKernel {
  template <int rows, int n>
  __attribute__((always_inline)) void sum(const ConvGeometry& g, const Channel& c, int64_t top, int64_t left,
                                          Vector (&sum)[n]) const {
    const float* weight = c.weights;
    for (int64_t ky = 0; ky < g.kernel_height; ++ky, top += g.dilation_height) {
      for (int64_t kx = 0; kx < g.kernel_width; ++kx, ++weight) {
        if (top < 0 || top >= g.in_height) continue;
        const int64_t column = left + kx * g.dilation_width;
        const Edges<stride> edges(column, g.in_width);
        const float* from = c.x + top * g.in_width + column;
        for (int i = 0; i < n; ++i) {
          const Vector v = n > 1 ? load_inside<stride>(from + i * kWidth * stride)
                                 : edges.load_inputs(from, g.stride_width);
          sum[i] = fma_vector(broadcast(*weight), v, sum[i]);
        }
      }
    }
  }
};

template <int rows, int n, typename Kernel>
HOST_DEVICE void convolve_outputs(const ConvGeometry& g, const Channel& c, const Kernel& kernel, Rows at,
                                  int64_t x, int64_t count) {
  Vector sum[1][rows * n];
#pragma GCC unroll 8
  for (int i = 0; i < rows * n; ++i) sum[0][i] = broadcast(0.0f);
  const int64_t top = at.first * g.stride_height - g.pad_height, left = x * g.stride_width - g.pad_width;
  const int64_t next = rows * at.step;  // rows from here to those that come after these
  for (int64_t j = next; j < 2 * next; j += at.step) {
    const int64_t bottom = top + j * g.stride_height + (g.kernel_height - 1) * g.dilation_height;
    ask_for(c.x + bottom * g.in_width + left, n * kWidth * g.stride_width);
    ask_for(c.y + c.offset + (at.first + j) * g.out_width + x, n * kWidth);
  }
  kernel.template sum<rows, n>(g, c, top, left, sum[0]);
  finish<rows, n>(g, c, at, x, count, sum);
}

template <int stride, int rows, typename Kernel>
HOST_DEVICE void convolve_rows(const ConvGeometry& g, const Channel& c, const Kernel& kernel, Rows at) {
  constexpr int64_t together = kVectors * kWidth;
  const int64_t reach = (g.kernel_width - 1) * g.dilation_width + stride * together;
  for (int64_t x = 0; x < g.out_width;) {
    const int64_t left = x * g.stride_width - g.pad_width, count = g.out_width - x;
    if (stride != kAny && left >= 0 && left + reach <= g.in_width && count >= together) {
      convolve_outputs<rows, kVectors>(g, c, kernel, at, x, together);
      x += together;
    } else {
      convolve_outputs<rows, 1>(g, c, kernel, at, x, count < kWidth ? count : kWidth);
      x += kWidth;
    }
  }
}

// Of every step-th output row, kTogether at once while there are so many.
template <int stride>
void convolve_plane_3x3(const ConvGeometry& g, const Channel& c) {
  Kernel3x3<stride> kernel;
  for (int i = 0; i < 9; ++i) kernel.w[i] = broadcast(c.weights[i]);
  const int64_t step = g.dilation_height;
  for (int64_t phase = 0; phase < step && phase < g.out_height; ++phase) {
    int64_t y = phase;
    for (; y + (kTogether - 1) * step < g.out_height; y += kTogether * step) {
      convolve_rows<stride, kTogether>(g, c, kernel, {y, step});
    }
    for (; y < g.out_height; y += step) convolve_rows<stride, 1>(g, c, kernel, {y, step});
  }
}

template <int stride>
void convolve_plane(const ConvGeometry& g, const Channel& c) {
  for (int64_t y = 0; y < g.out_height; ++y) convolve_rows<stride, 1>(g, c, AnyKernel<stride>(), {y, 1});
}

void convolve(const ConvGeometry& g, const Channel& c) {
  const bool three = g.kernel_height == 3 && g.kernel_width == 3 && g.stride_height == g.stride_width;
  switch (g.stride_width) {
    case 1:
      return three ? convolve_plane_3x3<1>(g, c) : convolve_plane<1>(g, c);
    case 2:
      return three ? convolve_plane_3x3<2>(g, c) : convolve_plane<2>(g, c);
    default:
      return convolve_plane<kAny>(g, c);
  }
}

// convolve(channel) for each output channel of each image.
template <class Convolve>
void for_each_channel(const ConvGeometry& g, const float* x, const float* weights, const EpilogueStep* steps,
                      int64_t step_count, float* y, int threads, const Convolve& convolve_channel) {
  const int64_t planes = g.batch * g.out_channels;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t p = 0; p < planes; ++p) {
    const int64_t image = p / g.out_channels, channel = p % g.out_channels;
    const int64_t source = image * g.in_channels + channel / g.rows();
    convolve_channel({x + source * g.in_plane, weights + channel * g.taps(), steps, step_count, channel,
                      p * g.out_plane, y, g.dilation_height * g.in_width});
  }
}

}  // namespace

bool depthwise_conv(const ConvGeometry& g, const float* x, const float* weights, const EpilogueStep* steps,
                    std::int64_t step_count, float* y, int threads) {
  const auto all = [&](const auto& convolve_channel) {
    for_each_channel(g, x, weights, steps, step_count, y, threads, convolve_channel);
  };
  if (FlatPlanes::suit(g)) {
    const FlatPlanes planes(g);
    all([&](const Channel& c) { planes.convolve(c); });
  } else {
    all([&](const Channel& c) { convolve(g, c); });
  }
  return true;
}

}  // namespace ISA
