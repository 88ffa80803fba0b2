// A thread per output; neighbouring threads share their input through the first-level cache.
#include "../pooling.h"
#include "pooling.h"
#include "runtime.cuh"

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

template <typename Point>
KERNEL(kThreads, 1)
void pool_kernel(const float* x, float* y, std::int64_t count, Pooling p, Point point) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const std::int64_t area = p.out_height * p.out_width;
  const std::int64_t plane = i / area, position = i - plane * area;
  const std::int64_t row = position / p.out_width;
  y[i] = point(x + plane * p.height * p.width, p, row, position - row * p.out_width);
}

template <typename Point>
void pool(const float* x, float* y, std::int64_t planes, const Pooling& p, Stream stream, Point point) {
  const std::int64_t count = planes * p.out_height * p.out_width;
  if (count == 0) return;
  launch(pool_kernel<Point>, block_count(count, kThreads), kThreads, 0, stream, x, y, count, p, point);
}

}  // namespace

void max_pool(const float* x, float* y, std::int64_t planes, std::int64_t height, std::int64_t width,
              std::int64_t out_height, std::int64_t out_width, std::int64_t kernel_h, std::int64_t kernel_w,
              std::int64_t stride_h, std::int64_t stride_w, std::int64_t pad_h, std::int64_t pad_w,
              Stream stream) {
  const Pooling p{height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
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
