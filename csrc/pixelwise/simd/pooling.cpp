// Pooling by whole rows. The maximum is taken along each input row first, then down the rows: a row's maxima
// are shared by all windows over it, and the first of equal values still wins, so the bits are
// max_pool_point's.
#include "pixelwise/pooling.h"

#include <omp.h>

namespace ISA {

namespace {

using Index = std::int64_t;

// Output columns [begin, end) have their whole window inside the row.
struct Inside {
  Index begin, end;
};

Inside inside(const Pooling& p) {
  Index begin = (p.pad_w + p.stride_w - 1) / p.stride_w;
  const Index room = p.width - p.kernel_w + p.pad_w;
  Index end = room < 0 ? 0 : room / p.stride_w + 1;
  if (begin > p.out_width) begin = p.out_width;
  if (end > p.out_width) end = p.out_width;
  return {begin, end < begin ? begin : end};
}

template <int kernel, int stride>
inline void row_max_fixed(const float* x, float* y, Index count) {
#pragma omp simd
  for (Index j = 0; j < count; ++j) {
    float maximum = -FLT_MAX;
    for (int k = 0; k < kernel; ++k) maximum = greater(maximum, x[j * stride + k]);
    y[j] = maximum;
  }
}

// y[column] = the maximum of the window's columns of `row`, for all output columns.
void row_max(const float* row, float* y, const Pooling& p, Inside in) {
  const auto edge = [&](Index begin, Index end) {
    for (Index j = begin; j < end; ++j) {
      const PoolSpan span = pool_span(j, p.width, p.kernel_w, p.stride_w, p.pad_w);
      float maximum = -FLT_MAX;
      for (Index i = span.begin; i < span.end; ++i) maximum = greater(maximum, row[i]);
      y[j] = maximum;
    }
  };
  edge(0, in.begin);
  edge(in.end, p.out_width);
  const float* x = row + in.begin * p.stride_w - p.pad_w;
  float* to = y + in.begin;
  const Index count = in.end - in.begin;
  if (p.kernel_w == 3 && p.stride_w == 1) return row_max_fixed<3, 1>(x, to, count);
  if (p.kernel_w == 3 && p.stride_w == 2) return row_max_fixed<3, 2>(x, to, count);
  if (p.kernel_w == 2 && p.stride_w == 2) return row_max_fixed<2, 2>(x, to, count);
  for (Index j = 0; j < count; ++j) to[j] = -FLT_MAX;
  for (Index k = 0; k < p.kernel_w; ++k) {
    for (Index j = 0; j < count; ++j) to[j] = greater(to[j], x[j * p.stride_w + k]);
  }
}

// One plane; `ring` holds the row maxima of the last min(kernel_h, height) input rows.
void max_plane(const float* x, float* y, const Pooling& p, Inside in, float* ring) {
  const Index slots = p.kernel_h < p.height ? p.kernel_h : p.height;
  Index next = 0;
  for (Index i = 0; i < p.out_height; ++i) {
    const PoolSpan rows = pool_span(i, p.height, p.kernel_h, p.stride_h, p.pad_h);
    for (next = next < rows.begin ? rows.begin : next; next < rows.end; ++next) {
      row_max(x + next * p.width, ring + next % slots * p.out_width, p, in);
    }
    float* to = y + i * p.out_width;
    if (rows.end - rows.begin == 3) {
      const float* a = ring + rows.begin % slots * p.out_width;
      const float* b = ring + (rows.begin + 1) % slots * p.out_width;
      const float* c = ring + (rows.begin + 2) % slots * p.out_width;
#pragma omp simd
      for (Index j = 0; j < p.out_width; ++j) to[j] = greater(greater(a[j], b[j]), c[j]);
      continue;
    }
    for (Index j = 0; j < p.out_width; ++j) to[j] = -FLT_MAX;
    for (Index r = rows.begin; r < rows.end; ++r) {
      const float* from = ring + r % slots * p.out_width;
#pragma omp simd
      for (Index j = 0; j < p.out_width; ++j) to[j] = greater(to[j], from[j]);
    }
  }
}

// y[j] plus the window's columns of one row, from left to right.
template <int kernel, int stride>
inline void row_add_fixed(const float* x, float* y, Index count) {
#pragma omp simd
  for (Index j = 0; j < count; ++j) {
    float sum = y[j];
    for (int k = 0; k < kernel; ++k) sum += x[j * stride + k];
    y[j] = sum;
  }
}

void row_add(const float* x, float* y, const Pooling& p, Index count) {
  if (p.kernel_w == 3 && p.stride_w == 1) return row_add_fixed<3, 1>(x, y, count);
  if (p.kernel_w == 3 && p.stride_w == 2) return row_add_fixed<3, 2>(x, y, count);
  if (p.kernel_w == 2 && p.stride_w == 2) return row_add_fixed<2, 2>(x, y, count);
  for (Index k = 0; k < p.kernel_w; ++k) {
    for (Index j = 0; j < count; ++j) y[j] += x[j * p.stride_w + k];
  }
}

// One plane: sums by input row, in each window from left to right, as average_pool_point.
void average_plane(const float* x, float* y, const Pooling& p, Inside in) {
  for (Index i = 0; i < p.out_height; ++i) {
    const PoolSpan rows = pool_span(i, p.height, p.kernel_h, p.stride_h, p.pad_h);
    float* to = y + i * p.out_width;
    for (Index j = 0; j < in.begin; ++j) to[j] = average_pool_point(x, p, i, j);
    for (Index j = in.end; j < p.out_width; ++j) to[j] = average_pool_point(x, p, i, j);
    for (Index j = in.begin; j < in.end; ++j) to[j] = 0.0f;
    for (Index r = rows.begin; r < rows.end; ++r) {
      row_add(x + r * p.width + in.begin * p.stride_w - p.pad_w, to + in.begin, p, in.end - in.begin);
    }
    const float count = static_cast<float>(rows.covered * p.kernel_w);
    for (Index j = in.begin; j < in.end; ++j) to[j] /= count;
  }
}

constexpr Index kTogether = 8;

// kTogether planes, one output of each at a time: for windows so wide that few lie beside each other.
void average_planes(const float* x, float* y, const Pooling& p) {
  const Index area = p.height * p.width, out_area = p.out_height * p.out_width;
  for (Index i = 0; i < p.out_height; ++i) {
    for (Index j = 0; j < p.out_width; ++j) {
      float average[kTogether];
      average_pool_points(x, area, p, i, j, average);
      float* to = y + i * p.out_width + j;
      for (Index plane = 0; plane < kTogether; ++plane) to[plane * out_area] = average[plane];
    }
  }
}

}  // namespace

void max_pool(const float* x, float* y, Index planes, Index height, Index width, Index out_height,
              Index out_width, Index kernel_h, Index kernel_w, Index stride_h, Index stride_w, Index pad_h,
              Index pad_w, int threads) {
  const Pooling p{height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  const Inside in = inside(p);
  const Index ring_size = (kernel_h < height ? kernel_h : height) * out_width;
  // Allocated here, where a failure may throw.
  float* const rings = new float[threads * ring_size];
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (Index plane = 0; plane < planes; ++plane) {
    max_plane(x + plane * height * width, y + plane * out_height * out_width, p, in,
              rings + omp_get_thread_num() * ring_size);
  }
  delete[] rings;
}

void average_pool(const float* x, float* y, Index planes, Index height, Index width, Index out_height,
                  Index out_width, Index kernel_h, Index kernel_w, Index stride_h, Index stride_w,
                  Index pad_h, Index pad_w, int threads) {
  const Pooling p{height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  const Inside in = inside(p);
  const bool few_beside = out_width < kTogether;
  const Index together = few_beside ? kTogether : 1;
  const Index area = height * width, out_area = out_height * out_width;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (Index first = 0; first < planes; first += together) {
    if (few_beside && first + kTogether <= planes) {
      average_planes(x + first * area, y + first * out_area, p);
      continue;
    }
    for (Index plane = first; plane < first + together && plane < planes; ++plane) {
      average_plane(x + plane * area, y + plane * out_area, p, in);
    }
  }
}

}  // namespace ISA
