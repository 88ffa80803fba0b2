// A thread per output position: where it lies in the input is the same for all planes, so it walks through
// several of them.
#include <algorithm>

#include "pixelwise/cuda/interp.h"
#include "pixelwise/interp.h"
#include "pixelwise/softmax.h"
#include "platform/cuda/runtime.cuh"

namespace device {

namespace {

constexpr int kThreads = 128;
constexpr std::int64_t kPlanes = 8;  // by one thread of interp

struct Interpolation {
  std::int64_t full_height, full_width, height, width, out_height, out_width;
  float row_ratio, column_ratio;
  bool half_pixel;
  bool copy;  // same size: the values themselves, whatever their neighbours are
};

// Where an output position lies in a plane: offsets of its four neighbours, from the crop's corner on.
struct Place {
  std::int64_t row, column;
  InterpTap rows, columns;
};

__device__ __forceinline__ Place place_of(const Interpolation& p, std::int64_t position) {
  Place place;
  place.row = position / p.out_width;
  place.column = position - place.row * p.out_width;
  place.rows = interp_tap(place.row, p.row_ratio, p.height, p.half_pixel);
  place.columns = interp_tap(place.column, p.column_ratio, p.width, p.half_pixel);
  return place;
}

__device__ __forceinline__ float value_at(const Interpolation& p, const float* plane, const Place& place) {
  if (p.copy) return plane[place.row * p.full_width + place.column];
  return interp_point(plane, p.full_width, place.rows, place.columns);
}

KERNEL(kThreads, 1)
void interp_kernel(const float* x, float* y, std::int64_t planes, Interpolation p) {
  const std::int64_t position = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t area = p.out_height * p.out_width, full = p.full_height * p.full_width;
  if (position >= area) return;
  const Place place = place_of(p, position);
  for (std::int64_t first = blockIdx.y * kPlanes; first < planes; first += gridDim.y * kPlanes) {
    const std::int64_t end = first + kPlanes < planes ? first + kPlanes : planes;
#pragma unroll 4
    for (std::int64_t plane = first; plane < end; ++plane) {
      y[plane * area + position] = value_at(p, x + plane * full, place);
    }
  }
}

KERNEL(kThreads, 1)
void interp_argmax_kernel(const float* x, float* labels, std::int64_t batch, std::int64_t channels,
                          Interpolation p) {
  const std::int64_t position = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t area = p.out_height * p.out_width, full = p.full_height * p.full_width;
  if (position >= area) return;
  const Place place = place_of(p, position);
  for (std::int64_t image = blockIdx.y; image < batch; image += gridDim.y) {
    const float* planes = x + image * channels * full;
    LabelValue best{0.0f, value_at(p, planes, place)};
#pragma unroll 4
    for (std::int64_t c = 1; c < channels; ++c) {
      best = better_label(best, c, value_at(p, planes + c * full, place));
    }
    labels[image * area + position] = best.label;
  }
}

Interpolation interpolation(std::int64_t full_height, std::int64_t full_width, std::int64_t height,
                            std::int64_t width, std::int64_t out_height, std::int64_t out_width,
                            bool half_pixel) {
  return {full_height,
          full_width,
          height,
          width,
          out_height,
          out_width,
          interp_ratio(height, out_height, half_pixel),
          interp_ratio(width, out_width, half_pixel),
          half_pixel,
          height == out_height && width == out_width};
}

dim3 grid_of(const Interpolation& p, std::int64_t layers) {
  return dim3(block_count(p.out_height * p.out_width, kThreads),
              static_cast<unsigned>(std::min<std::int64_t>(layers, 65535)));
}

}  // namespace

void interp(const float* x, float* y, std::int64_t planes, std::int64_t full_height, std::int64_t full_width,
            std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
            std::int64_t out_height, std::int64_t out_width, bool half_pixel, Stream stream) {
  if (planes == 0) return;
  const Interpolation p =
      interpolation(full_height, full_width, height, width, out_height, out_width, half_pixel);
  launch(interp_kernel, grid_of(p, (planes + kPlanes - 1) / kPlanes), kThreads, 0, stream,
         x + top * full_width + left, y, planes, p);
}

void interp_argmax(const float* x, float* labels, std::int64_t batch, std::int64_t channels,
                   std::int64_t full_height, std::int64_t full_width, std::int64_t top, std::int64_t left,
                   std::int64_t height, std::int64_t width, std::int64_t out_height, std::int64_t out_width,
                   bool half_pixel, Stream stream) {
  if (batch == 0) return;
  const Interpolation p =
      interpolation(full_height, full_width, height, width, out_height, out_width, half_pixel);
  launch(interp_argmax_kernel, grid_of(p, batch), kThreads, 0, stream, x + top * full_width + left, labels,
         batch, channels, p);
}

}  // namespace device
