// The splat is a gather: each vertex sums its list in order, one thread for a label or four, so the result
// has the bits of a serial program whatever runs beside it. (Long lists: splat_long_lists.cu.)
#include <algorithm>

#include "crf/cuda/float4.cuh"
#include "crf/cuda/lanes.cuh"
#include "crf/cuda/lattice_filter.h"
#include "crf/cuda/splat.h"
#include "platform/cuda/runtime.cuh"
#include "platform/cuda/switches.h"

namespace device {
namespace {

constexpr int kThreads = 256;

// ---- short lists: a few lanes for each vertex ----

KERNEL(kThreads, 1)
void splat_short_lists(Splats splats, RowLanes lanes, const float* q, std::size_t q_stride, std::size_t row) {
  const Splat& splat = splats.of[blockIdx.z];
  const std::size_t v = lanes.row(kThreads) + 1;
  const int piece = lanes.lane() + 32 * blockIdx.y;
  if (v > splat.vertices || piece >= lanes.pieces) return;
  unsigned i = splat.starts[v];
  const unsigned end = splat.starts[v + 1];
  if (end - i >= kLongList) return;
  q += 4 * piece;
  float4 sum = all_four(0.0f);
  constexpr int kAhead = 4;  // rows on their way together
  for (; i < end; i += kAhead) {
    float weight[kAhead];
    float4 values[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (i + k < end) {
        const Link link = splat.list[i + k];
        weight[k] = splat.pre ? link.weight * splat.pre[link.index] : link.weight;
        values[k] = load_four(q + link.index * q_stride);
      }
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (i + k < end) add_product(sum, weight[k], values[k]);
    }
  }
  store_four(splat.values + v * row + 4 * piece, sum);
}

// ---- blur ----

struct Blur {
  const unsigned (*neighbours)[2];  // of the axis
  const unsigned (*next)[2];        // of the axis behind it, or null
  unsigned vertices;
  const float* from;
  float* to;
};
struct Blurs {
  Blur of[kMaxKernels];
};

__device__ __forceinline__ float4 blur_four(float4 value, float4 a, float4 b) {
  return make_float4(blurred(value.x, a.x, b.x), blurred(value.y, a.y, b.y), blurred(value.z, a.z, b.z),
                     blurred(value.w, a.w, b.w));
}

// Four labels of a vertex along the first axis. An absent neighbour's value is 0.
__device__ __forceinline__ float4 blur_vertex(const Blur& blur, unsigned v, const float* from,
                                              std::size_t row) {
  const unsigned previous = blur.neighbours[v][0], next = blur.neighbours[v][1];
  const float4 value = load_four(from + v * row);
  const float4 a = previous ? load_four(from + previous * row) : all_four(0.0f);
  const float4 b = next ? load_four(from + next * row) : all_four(0.0f);
  return blur_four(value, a, b);
}

// A thread for four labels of a vertex. With `two`, along the next axis, too, where there is one: what its
// neighbours have after the first is made anew.
template <bool two>
KERNEL(kThreads, 1)
void blur_axes(Blurs blurs, int pieces, std::size_t row) {
  const Blur& blur = blurs.of[blockIdx.y];
  const unsigned rows = kThreads / pieces;
  const unsigned own = threadIdx.x / pieces, piece = threadIdx.x % pieces;
  const unsigned v = blockIdx.x * rows + own + 1;
  if (own >= rows || v > blur.vertices) return;
  const float* const from = blur.from + 4 * piece;
  float4 value = blur_vertex(blur, v, from, row);
  if (two && blur.next) {
    const unsigned previous = blur.next[v][0], next = blur.next[v][1];
    const float4 a = previous ? blur_vertex(blur, previous, from, row) : all_four(0.0f);
    const float4 b = next ? blur_vertex(blur, next, from, row) : all_four(0.0f);
    value = blur_four(value, a, b);
  }
  store_four(blur.to + v * row + 4 * piece, value);
}

// Axes that a launch blurs along, and launches for a lattice.
constexpr int kAxesAtOnce = kFusedBlur ? 2 : 1;
constexpr int blur_steps(int dims) { return (dims + kAxesAtOnce) / kAxesAtOnce; }

// ---- slice ----

KERNEL(kThreads, 1)
void slice_points(const Link* links, int degree, std::size_t points, RowLanes lanes, const float* values,
                  std::size_t row, float* out) {
  const std::size_t p = lanes.row(kThreads);
  const int piece = lanes.lane() + 32 * blockIdx.y;
  if (p >= points || piece >= lanes.pieces) return;
  float4 sum = all_four(0.0f);
#pragma unroll 3
  for (int r = 0; r < degree; ++r) {
    const Link link = links[p * degree + r];
    add_product(sum, link.weight, load_four(values + link.index * row + 4 * piece));
  }
  store_four(out + p * row + 4 * piece, sum);
}

unsigned chunks_of(int pieces, int chunk) { return static_cast<unsigned>((pieces + chunk - 1) / chunk); }

}  // namespace

void filter_values(const Filter* filters, int count, const float* q, std::size_t q_stride, std::size_t labels,
                   bool adjoint, Stream stream) {
  if (count == 0) return;
  const std::size_t row = padded_labels(labels);
  const RowLanes lanes(row);
  if (lanes.pieces > kThreads) throw std::invalid_argument("a CRF on a GPU has at most 1024 labels");
  Splats splats{};
  unsigned vertices = 0;
  int steps = 0;
  for (int k = 0; k < count; ++k) {
    const Lattice& lattice = *filters[k].lattice;
    splats.of[k] = {lattice.starts,   lattice.long_lists, lattice.long_list_counts, lattice.splat,
                    lattice.vertices, lattice.links,      filters[k].pre,           filters[k].tables};
    vertices = std::max(vertices, lattice.vertices);
    steps = std::max(steps, blur_steps(lattice.dims));
  }
  const auto kernels = static_cast<unsigned>(count);
  splat_long_lists(splats, count, q, q_stride, row, stream);
  launch(splat_short_lists,
         dim3(block_count(vertices, lanes.rows_of_block(kThreads)), chunks_of(lanes.pieces, 32), kernels),
         kThreads, 0, stream, splats, lanes, q, q_stride, row);
  for (int step = 0; step < steps; ++step) {
    Blurs blurs{};
    unsigned jobs = 0, most = 0;
    for (int k = 0; k < count; ++k) {
      const Lattice& lattice = *filters[k].lattice;
      if (step >= blur_steps(lattice.dims)) continue;
      const std::size_t rows = std::size_t{lattice.vertices} + 1;
      float *const values = filters[k].tables, *const other = values + rows * row;
      const auto axis = [&](int number) {
        return lattice.neighbours + (adjoint ? lattice.dims - number : number) * rows;
      };
      const int first = step * kAxesAtOnce;
      const bool two = kAxesAtOnce == 2 && first < lattice.dims;
      blurs.of[jobs++] = {axis(first), two ? axis(first + 1) : nullptr, lattice.vertices,
                          step % 2 ? other : values, step % 2 ? values : other};
      most = std::max(most, lattice.vertices);
    }
    const dim3 grid(block_count(most, kThreads / lanes.pieces), jobs);
    launch(blur_axes<kFusedBlur>, grid, kThreads, 0, stream, blurs, lanes.pieces, row);
  }
}

const float* filtered_values(const Filter& filter, std::size_t labels) {
  const Lattice& lattice = *filter.lattice;
  const std::size_t rows = std::size_t{lattice.vertices} + 1;
  return blur_steps(lattice.dims) % 2 ? filter.tables + rows * padded_labels(labels) : filter.tables;
}

void lattice_filter(const Lattice& lattice, const float* q, std::size_t q_stride, std::size_t labels,
                    const float* pre, bool adjoint, float* tables, float* out, Stream stream) {
  const Filter filter{&lattice, pre, tables};
  filter_values(&filter, 1, q, q_stride, labels, adjoint, stream);
  const RowLanes lanes(padded_labels(labels));
  const dim3 grid(block_count(lattice.points, lanes.rows_of_block(kThreads)), chunks_of(lanes.pieces, 32));
  launch(slice_points, grid, kThreads, 0, stream, static_cast<const Link*>(lattice.slice), lattice.dims + 1,
         std::size_t{lattice.points}, lanes, filtered_values(filter, labels), padded_labels(labels), out);
}

}  // namespace device
