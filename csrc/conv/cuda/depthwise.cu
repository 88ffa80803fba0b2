// Depthwise convolution: bound by memory, so every input is read once (or little more), and every output
// written once. A thread block takes a band of output rows of one plane: it copies the input rows they need
// to shared memory, 16 bytes at a time, with zeros between them where taps reach beyond the sides.
#include <algorithm>
#include <limits>
#include <numeric>

#include "conv/cuda/atrous_conv.h"
#include "conv/cuda/epilogue.cuh"
#include "platform/cuda/cp_async.cuh"

namespace device {

namespace {

constexpr int kThreads = 128;
constexpr int kTogether = 4;  // outputs of a thread that go through the epilogue together
constexpr int64_t kSharedFloats = 40 * 256;

// Output rows first + step * t of a plane, t < count; input rows input_first + input_step * j lie in shared
// memory, and kernel row ky of output row t reads row j = t * rows_per_output + ky * rows_per_tap.
//
// Either the rows are neighbours (step 1), or, where the taps are far apart, those that share their taps:
// every row is then read by one band only.
struct Bands {
  int step, count;  // of output rows; the last band of a plane may have fewer
  int input_step, input_count;
  int rows_per_output, rows_per_tap;
  int phases, per_phase;  // bands of a plane: [phase][band]
  int pitch;              // floats from row to row in shared memory; the gap between rows holds zeros
};

struct DepthwiseArguments {
  const float *x, *weights;
  float* y;
  Epilogue epilogue;
  Bands bands;
  int in_height, in_width, out_height, out_width, out_channels, multiplier;
  int kernel_height, kernel_width, stride_height, stride_width, pad_height, pad_width;
  int dilation_height, dilation_width;
};

// A plane of outputs.
struct Plane {
  const float *input, *weights;
  int64_t channel, output;  // output: where it begins in y
};

__device__ __forceinline__ Plane find_plane(const DepthwiseArguments& a, int64_t number) {
  const int64_t image = number / a.out_channels, channel = number % a.out_channels;
  const int64_t source = image * (a.out_channels / a.multiplier) + channel / a.multiplier;
  return {a.x + source * a.in_height * a.in_width, a.weights + channel * a.kernel_height * a.kernel_width,
          channel, number * a.out_height * a.out_width};
}

// Copies row after row of the band; its first value goes to shared[place].
__device__ __forceinline__ void copy_band(const DepthwiseArguments& a, const float* plane, int first_row,
                                          float* shared, int place) {
  const Bands& b = a.bands;
  const int gap = b.pitch - a.in_width;
  for (int i = threadIdx.x; i < (b.input_count + 1) * gap; i += kThreads) {
    shared[place + i / gap * b.pitch - gap + i % gap] = 0.0f;
  }
  for (int j = threadIdx.x / 32; j < b.input_count; j += kThreads / 32) {
    const int row = first_row + j * b.input_step;
    if (row < 0 || row >= a.in_height) continue;
    const float* from = plane + int64_t{row} * a.in_width;
    float* to = shared + place + j * b.pitch;
    const int before = static_cast<int>(reinterpret_cast<std::uintptr_t>(from) / sizeof(float) % 4);
    for (int i = threadIdx.x % 32 * 4 - before; i < a.in_width; i += 32 * 4) {
      if (i >= 0 && i + 4 <= a.in_width) {
        copy_async_16(to + i, from + i, false);
      } else {
        for (int c = max(i, 0); c < min(i + 4, a.in_width); ++c) copy_async_4(to + c, from + c, false);
      }
    }
  }
  commit_copies();
}

// The taps of a square kernel: weights, and where their inputs lie from that of the first.
template <int side>
struct Kernel {
  float weight[side * side];
  int place[side * side];

  __device__ __forceinline__ Kernel(const DepthwiseArguments& a, const float* weights, int row_step) {
#pragma unroll
    for (int i = 0; i < side * side; ++i) {
      weight[i] = __ldg(weights + i);
      place[i] = i / side * row_step + i % side * a.dilation_width;
      keep(place[i]);
    }
  }
};

// Of any kernel.
template <>
struct Kernel<0> {
  const float* weights;
  int row_step;

  __device__ __forceinline__ Kernel(const DepthwiseArguments&, const float* of_plane, int step)
      : weights(of_plane), row_step(step) {}
};

// The sum of one output. row: where its first tap's row lies in shared memory, which is row first_row of the
// image. Rows outside the image are read, but not used: nothing waits for a branch.
template <int side>
__device__ __forceinline__ float sum_taps(const DepthwiseArguments& a, const Kernel<side>& kernel,
                                          const float* row, int first_row) {
  float sum = 0.0f, value[side * side];
#pragma unroll
  for (int i = 0; i < side * side; ++i) value[i] = row[kernel.place[i]];
#pragma unroll
  for (int ky = 0; ky < side; ++ky) {
    if (static_cast<unsigned>(first_row + ky * a.dilation_height) < static_cast<unsigned>(a.in_height)) {
#pragma unroll
      for (int i = ky * side; i < (ky + 1) * side; ++i) {
        sum = fused_multiply_add(kernel.weight[i], value[i], sum);
      }
    }
  }
  return sum;
}

// The same for a kernel of any size.
template <>
__device__ __forceinline__ float sum_taps<0>(const DepthwiseArguments& a, const Kernel<0>& kernel,
                                             const float* row, int first_row) {
  float sum = 0.0f;
  for (int ky = 0; ky < a.kernel_height; ++ky, row += kernel.row_step) {
    const int y = first_row + ky * a.dilation_height;
    if (y < 0 || y >= a.in_height) continue;
    for (int kx = 0; kx < a.kernel_width; ++kx) {
      sum = fused_multiply_add(kernel.weights[ky * a.kernel_width + kx], row[kx * a.dilation_width], sum);
    }
  }
  return sum;
}

template <int side>
KERNEL(kThreads, side == 5 ? 4 : 6)
void depthwise_bands(DepthwiseArguments a) {
  DYNAMIC_SHARED(float, shared);
  const Bands& b = a.bands;
  const int per_plane = b.phases * b.per_phase, band = blockIdx.x % per_plane;
  const Plane plane = find_plane(a, blockIdx.x / per_plane);
  const int first = band / b.per_phase + band % b.per_phase * b.count * b.step;  // output row
  const int rows = first < a.out_height ? min(b.count, (a.out_height - 1 - first) / b.step + 1) : 0;
  if (rows <= 0) return;
  const int first_input = first * a.stride_height - a.pad_height;

  // So placed that 16-byte words of the image are 16-byte words of shared memory, in every row.
  const int64_t address = static_cast<int64_t>(reinterpret_cast<std::uintptr_t>(plane.input) / sizeof(float));
  const int place = (b.pitch - a.in_width + 3) / 4 * 4 +
                    static_cast<int>((address + int64_t{first_input} * a.in_width) & 3);
  copy_band(a, plane.input, first_input, shared, place);
  const Kernel<side> taps(a, plane.weights, b.rows_per_tap * b.pitch);
  wait_for_copies<0>();
  __syncthreads();

  const int outputs = rows * a.out_width;
  const float* input = shared + place - a.pad_width;
  // The thread's outputs lie kThreads apart in the band: so many rows and columns on, and a row more where
  // that leads beyond the last column.
  const int rows_on = kThreads / a.out_width, columns_on = kThreads - rows_on * a.out_width;
  const int input_row = b.rows_per_output * b.pitch, output_row = b.step * a.out_width;
  const int image_row = b.step * a.stride_height;
  const int row = static_cast<int>(threadIdx.x) / a.out_width;
  int x = static_cast<int>(threadIdx.x) - row * a.out_width;
  int from = row * input_row + x * a.stride_width, to = first * a.out_width + row * output_row + x;
  int y = first_input + row * image_row;
  for (int i = threadIdx.x; i < outputs; i += kThreads * kTogether) {
    float sum[kTogether];
    int64_t at[kTogether];
#pragma unroll
    for (int n = 0; n < kTogether; ++n) {
      const bool there = i + n * kThreads < outputs;
      sum[n] = sum_taps<side>(a, taps, input + (there ? from : 0), y);
      at[n] = plane.output + (there ? to : 0);
      x += columns_on;
      const bool next_row = x >= a.out_width;
      x -= next_row ? a.out_width : 0;
      from += rows_on * input_row + columns_on * a.stride_width +
              (next_row ? input_row - a.out_width * a.stride_width : 0);
      to += rows_on * output_row + columns_on + (next_row ? output_row - a.out_width : 0);
      y += rows_on * image_row + (next_row ? image_row : 0);
    }
    finish(a.epilogue, plane.channel, at, sum);
#pragma unroll
    for (int n = 0; n < kTogether; ++n) {
      if (i + n * kThreads < outputs) a.y[at[n]] = sum[n];
    }
  }
}

// For rows that shared memory cannot hold: a thread per output, straight from memory.
KERNEL(kThreads, 8)
void depthwise_outputs(DepthwiseArguments a, int64_t count) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t area = int64_t{a.out_height} * a.out_width;
  const Plane plane = find_plane(a, i / area);
  const int y = static_cast<int>(i % area / a.out_width), x = static_cast<int>(i % a.out_width);
  float sum = 0.0f;
  for (int ky = 0; ky < a.kernel_height; ++ky) {
    const int row = y * a.stride_height - a.pad_height + ky * a.dilation_height;
    if (row < 0 || row >= a.in_height) continue;
    for (int kx = 0; kx < a.kernel_width; ++kx) {
      const int column = x * a.stride_width - a.pad_width + kx * a.dilation_width;
      const bool inside = column >= 0 && column < a.in_width;
      const float value = inside ? plane.input[int64_t{row} * a.in_width + column] : 0.0f;
      sum = fused_multiply_add(plane.weights[ky * a.kernel_width + kx], value, sum);
    }
  }
  a.y[i] = finish(a.epilogue, plane.channel, i, sum);
}

// Floats from row to row: the gap holds the zeros that taps beyond either side read, and keeps 16-byte words
// of the image such words in every row.
int64_t row_pitch(const ConvGeometry& g, int64_t input_step) {
  const int64_t reach =
      (g.out_width - 1) * g.stride_width - g.pad_width + (g.kernel_width - 1) * g.dilation_width;
  const int64_t least = g.in_width + std::max<int64_t>({g.pad_width, reach - (g.in_width - 1), 1});
  return least + ((input_step * g.in_width - least) % 4 + 4) % 4;
}

// Shared memory for bands of `count` rows, in floats.
int64_t band_floats(const ConvGeometry& g, int64_t pitch, int64_t input_count) {
  return (input_count + 1) * pitch - g.in_width + 8;
}

// The longest bands that fit, all of a phase's rows at most; count 0: none does.
Bands make_bands(const ConvGeometry& g, bool by_phase) {
  const int64_t common = std::gcd(g.stride_height, g.dilation_height);
  Bands b{};
  b.phases = b.step = static_cast<int>(by_phase ? g.dilation_height / common : 1);
  b.input_step = static_cast<int>(by_phase ? g.dilation_height : 1);
  b.rows_per_output = static_cast<int>(by_phase ? g.stride_height / common : g.stride_height);
  b.rows_per_tap = static_cast<int>(by_phase ? 1 : g.dilation_height);
  const int64_t pitch = row_pitch(g, b.input_step), rows = (g.out_height + b.step - 1) / b.step;
  const auto inputs = [&](int64_t count) {
    return (count - 1) * b.rows_per_output + (g.kernel_height - 1) * b.rows_per_tap + 1;
  };
  const int64_t fit = (kSharedFloats - 8 + g.in_width) / pitch - 1 - inputs(1);
  if (fit < 0) return b;
  const int64_t most = std::min(rows, fit / b.rows_per_output + 1), bands = (rows + most - 1) / most;
  b.count = static_cast<int>((rows + bands - 1) / bands);
  b.per_phase = static_cast<int>(bands);
  b.input_count = static_cast<int>(inputs(b.count));
  b.pitch = static_cast<int>(pitch);
  return b;
}

// Of both ways the one that reads fewer rows.
Bands choose_bands(const ConvGeometry& g) {
  const Bands near = make_bands(g, false);
  if (g.dilation_height == 1) return near;
  const Bands far = make_bands(g, true);
  const auto rows_read = [](const Bands& b) { return int64_t{b.phases} * b.per_phase * b.input_count; };
  if (near.count == 0 || far.count == 0) return near.count > 0 ? near : far;
  return rows_read(near) <= rows_read(far) ? near : far;
}

}  // namespace

void depthwise_conv(const ConvGeometry& g, const float* x, const float* weights,
                    const std::vector<EpilogueStep>& steps, float* y, Stream stream) {
  const int64_t limit = int64_t{1} << 30;
  if (std::max({g.in_height, g.in_width, g.out_height, g.out_width}) > limit ||
      g.pad_height + g.kernel_height * g.dilation_height > limit ||
      g.pad_width + g.kernel_width * g.dilation_width > limit || g.stride_height > limit ||
      g.stride_width > limit) {
    throw std::invalid_argument("atrous_conv: too large for the device's 32-bit positions");
  }
  DepthwiseArguments a{};
  a.x = x;
  a.weights = weights;
  a.y = y;
  a.epilogue = make_epilogue(steps);
  a.in_height = static_cast<int>(g.in_height);
  a.in_width = static_cast<int>(g.in_width);
  a.out_height = static_cast<int>(g.out_height);
  a.out_width = static_cast<int>(g.out_width);
  a.out_channels = static_cast<int>(g.out_channels);
  a.multiplier = static_cast<int>(g.rows());
  a.kernel_height = static_cast<int>(g.kernel_height);
  a.kernel_width = static_cast<int>(g.kernel_width);
  a.stride_height = static_cast<int>(g.stride_height);
  a.stride_width = static_cast<int>(g.stride_width);
  a.pad_height = static_cast<int>(g.pad_height);
  a.pad_width = static_cast<int>(g.pad_width);
  a.dilation_height = static_cast<int>(g.dilation_height);
  a.dilation_width = static_cast<int>(g.dilation_width);
  // A band counts the outputs of its plane in 32 bits.
  if (g.out_height * g.out_width <= std::numeric_limits<int>::max()) a.bands = choose_bands(g);
  const int64_t planes = g.batch * g.out_channels;
  if (a.bands.count == 0) {
    const int64_t count = planes * g.out_height * g.out_width;
    launch(depthwise_outputs, block_count(count, kThreads), kThreads, 0, stream, a, count);
    return;
  }
  const bool square = g.kernel_height == g.kernel_width;
  const auto kernel = square && g.kernel_height == 3   ? depthwise_bands<3>
                      : square && g.kernel_height == 5 ? depthwise_bands<5>
                                                       : depthwise_bands<0>;
  const int64_t blocks = planes * a.bands.phases * a.bands.per_phase;
  const int64_t shared = band_floats(g, a.bands.pitch, a.bands.input_count) * sizeof(float);
  launch(kernel, block_count(blocks, 1), kThreads, shared, stream, a);
}

}  // namespace device
