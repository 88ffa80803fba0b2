// Max and average pooling as Caffe does them: windows over a padded plane, clipped to it.
#pragma once

#include <cfloat>
#include <cstdint>

#include "platform/host_device.h"
#include "platform/isa.h"

struct Pooling {
  std::int64_t height, width, out_height, out_width;
  std::int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

// Rows or columns [begin, end) of a window; `covered`, with the padding before and after, divides the
// average.
struct PoolSpan {
  std::int64_t begin, end, covered;
};

HOST_DEVICE PoolSpan pool_span(std::int64_t out, std::int64_t size, std::int64_t kernel, std::int64_t stride,
                               std::int64_t pad) {
  const std::int64_t first = out * stride - pad;
  const std::int64_t last = first + kernel;
  return {first < 0 ? 0 : first, last < size ? last : size, (last < size + pad ? last : size + pad) - first};
}

// Only a strictly greater value replaces the maximum, so NaN never does and the first of two zeros stays.
HOST_DEVICE float greater(float maximum, float x) { return x > maximum ? x : maximum; }

// One output each; `plane` is [height, width].
HOST_DEVICE float max_pool_point(const float* plane, const Pooling& p, std::int64_t row,
                                 std::int64_t column) {
  const PoolSpan rows = pool_span(row, p.height, p.kernel_h, p.stride_h, p.pad_h);
  const PoolSpan columns = pool_span(column, p.width, p.kernel_w, p.stride_w, p.pad_w);
  float maximum = -FLT_MAX;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    for (std::int64_t j = columns.begin; j < columns.end; ++j) {
      maximum = greater(maximum, plane[i * p.width + j]);
    }
  }
  return maximum;
}

// n planes, `area` floats apart, at once: several sums do not wait for each other.
template <int n>
HOST_DEVICE void average_pool_points(const float* planes, std::int64_t area, const Pooling& p,
                                     std::int64_t row, std::int64_t column, float (&average)[n]) {
  const PoolSpan rows = pool_span(row, p.height, p.kernel_h, p.stride_h, p.pad_h);
  const PoolSpan columns = pool_span(column, p.width, p.kernel_w, p.stride_w, p.pad_w);
  for (int k = 0; k < n; ++k) average[k] = 0.0f;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    for (std::int64_t j = columns.begin; j < columns.end; ++j) {
      for (int k = 0; k < n; ++k) average[k] += planes[k * area + i * p.width + j];
    }
  }
  for (int k = 0; k < n; ++k) average[k] /= static_cast<float>(rows.covered * columns.covered);
}

HOST_DEVICE float average_pool_point(const float* plane, const Pooling& p, std::int64_t row,
                                     std::int64_t column) {
  float average[1];
  average_pool_points(plane, 0, p, row, column, average);
  return average[0];
}

// x: [planes, height, width], y: [planes, out_height, out_width].
DECLARE_PER_ISA(void max_pool(const float* x, float* y, std::int64_t planes, std::int64_t height,
                              std::int64_t width, std::int64_t out_height, std::int64_t out_width,
                              std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t stride_h,
                              std::int64_t stride_w, std::int64_t pad_h, std::int64_t pad_w, int threads))
DECLARE_PER_ISA(void average_pool(const float* x, float* y, std::int64_t planes, std::int64_t height,
                                  std::int64_t width, std::int64_t out_height, std::int64_t out_width,
                                  std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t stride_h,
                                  std::int64_t stride_w, std::int64_t pad_h, std::int64_t pad_w, int threads))
