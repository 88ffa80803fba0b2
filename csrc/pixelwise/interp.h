// Bilinear interpolation. Corners aligned: the first and last rows and columns of both sides coincide.
// Half-pixel: the outer edges do, so pixel i has its centre at i + 0.5.
#pragma once

#include <cstdint>

#include "platform/host_device.h"
#include "platform/isa.h"

// Where an output row (or column) lies between two input ones.
struct InterpTap {
  std::int64_t low, high;
  float low_weight, high_weight;
};

HOST_DEVICE float interp_ratio(std::int64_t size, std::int64_t out_size, bool half_pixel) {
  if (half_pixel) return static_cast<float>(size) / static_cast<float>(out_size);
  return out_size > 1 ? static_cast<float>(size - 1) / static_cast<float>(out_size - 1) : 0.0f;
}

HOST_DEVICE InterpTap interp_tap(std::int64_t out, float ratio, std::int64_t size, bool half_pixel) {
  float position = ratio * static_cast<float>(out);
  if (half_pixel) {
    position = ratio * (static_cast<float>(out) + 0.5f) - 0.5f;
    if (position < 0.0f) position = 0.0f;
  }
  std::int64_t low = static_cast<std::int64_t>(position);
  if (low > size - 1) low = size - 1;
  const float high_weight = position - static_cast<float>(low);
  return {low, low < size - 1 ? low + 1 : low, 1.0f - high_weight, high_weight};
}

HOST_DEVICE float interp_blend(float low_weight, float low, float high_weight, float high) {
  return low_weight * low + high_weight * high;
}

// One output; `plane` has rows of `stride` values.
HOST_DEVICE float interp_point(const float* plane, std::int64_t stride, InterpTap row, InterpTap column) {
  const float* a = plane + row.low * stride;
  const float* b = plane + row.high * stride;
  return interp_blend(
      row.low_weight, interp_blend(column.low_weight, a[column.low], column.high_weight, a[column.high]),
      row.high_weight, interp_blend(column.low_weight, b[column.low], column.high_weight, b[column.high]));
}

// x: [planes, full_height, full_width], of which [height, width] from (top, left) on is used;
// y: [planes, out_height, out_width].
DECLARE_PER_ISA(void interp(const float* x, float* y, std::int64_t planes, std::int64_t full_height,
                            std::int64_t full_width, std::int64_t top, std::int64_t left, std::int64_t height,
                            std::int64_t width, std::int64_t out_height, std::int64_t out_width,
                            bool half_pixel, int threads))
