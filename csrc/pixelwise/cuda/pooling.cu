// A thread per output, and for the usual windows their loops unrolled; neighbouring threads share their input
// through the first-level cache.
#include "pixelwise/cuda/pooling.h"
#include "pixelwise/pooling.h"
#include "platform/cuda/runtime.cuh"

namespace device {

namespace {

constexpr int kThreads = 256;

struct MaxPoint {
  __device__ float operator()(const float* plane, const Pooling& p, std::int64_t i, std::int64_t j) const {
    return max_pool_point(plane, p, i, j);
  }
};
struct AveragePoint {
  __device__ float operator()(const float* plane, const Pooling& p, std::int64_t i, std::int64_t j) const {
    return average_pool_point(plane, p, i, j);
  }
};

// max_pool_point for a square window, in 32-bit numbers.
template <int kKernel, int kStride>
struct FixedMaxPoint {
  __device__ float operator()(const float* plane, const Pooling& p, std::int64_t i, std::int64_t j) const {
    const int height = static_cast<int>(p.height), width = static_cast<int>(p.width);
    const int top = static_cast<int>(i) * kStride - static_cast<int>(p.pad_h);
    const int left = static_cast<int>(j) * kStride - static_cast<int>(p.pad_w);
    float maximum = -FLT_MAX;
#pragma unroll
    for (int r = top; r < top + kKernel; ++r) {
      const float* row = plane + r * width;
#pragma unroll
      for (int c = left; c < left + kKernel; ++c) {
        if (r >= 0 && r < height && c >= 0 && c < width) maximum = greater(maximum, row[c]);
      }
    }
    return maximum;
  }
};

// Blocks run over the positions of a plane in x, over the planes in y.
template <typename Point>
KERNEL(kThreads, 1)
void pool_kernel(const float* x, float* y, std::int64_t planes, Pooling p, Point point) {
  const std::int64_t area = p.out_height * p.out_width, full = p.height * p.width;
  const std::int64_t position = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (position >= area) return;
  // Almost always a division of 32-bit numbers, which is much faster.
  const bool small = area <= 0xffffffff;
  const std::int64_t row =
      small ? static_cast<unsigned>(position) / static_cast<unsigned>(p.out_width) : position / p.out_width;
  const std::int64_t column = position - row * p.out_width;
  for (std::int64_t plane = blockIdx.y; plane < planes; plane += gridDim.y) {
    y[plane * area + position] = point(x + plane * full, p, row, column);
  }
}

template <typename Point>
void pool(const float* x, float* y, std::int64_t planes, const Pooling& p, Stream stream, Point point) {
  const std::int64_t area = p.out_height * p.out_width;
  if (planes * area == 0) return;
  const dim3 grid(block_count(area, kThreads), static_cast<unsigned>(planes < 65535 ? planes : 65535));
  launch(pool_kernel<Point>, grid, kThreads, 0, stream, x, y, planes, p, point);
}

// Whether all is as in FixedMaxPoint, and its numbers fit.
bool is_fixed(const Pooling& p, std::int64_t kernel, std::int64_t stride) {
  constexpr std::int64_t kLimit = 1 << 30;
  return p.kernel_h == kernel && p.kernel_w == kernel && p.stride_h == stride && p.stride_w == stride &&
         (p.height + 2 * p.pad_h) * (p.width + 2 * p.pad_w) < kLimit && p.out_height * stride < kLimit &&
         p.out_width * stride < kLimit;
}

}  // namespace

void max_pool(const float* x, float* y, std::int64_t planes, std::int64_t height, std::int64_t width,
              std::int64_t out_height, std::int64_t out_width, std::int64_t kernel_h, std::int64_t kernel_w,
              std::int64_t stride_h, std::int64_t stride_w, std::int64_t pad_h, std::int64_t pad_w,
              Stream stream) {
  const Pooling p{height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (is_fixed(p, 3, 2)) return pool(x, y, planes, p, stream, FixedMaxPoint<3, 2>{});
  if (is_fixed(p, 3, 1)) return pool(x, y, planes, p, stream, FixedMaxPoint<3, 1>{});
  if (is_fixed(p, 2, 2)) return pool(x, y, planes, p, stream, FixedMaxPoint<2, 2>{});
  pool(x, y, planes, p, stream, MaxPoint{});
}

void average_pool(const float* x, float* y, std::int64_t planes, std::int64_t height, std::int64_t width,
                  std::int64_t out_height, std::int64_t out_width, std::int64_t kernel_h,
                  std::int64_t kernel_w, std::int64_t stride_h, std::int64_t stride_w, std::int64_t pad_h,
                  std::int64_t pad_w, Stream stream) {
  const Pooling p{height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  pool(x, y, planes, p, stream, AveragePoint{});
}

}  // namespace device
