// One mean-field update in one pass over the points: the slices of all kernels, their weights, and the
// softmax.
#include "crf/cuda/float4.cuh"
#include "crf/cuda/lanes.cuh"
#include "crf/cuda/mean_field.h"
#include "crf/mean_field.h"
#include "platform/cuda/runtime.cuh"

namespace device {
namespace {

constexpr int kThreads = 256;
constexpr unsigned kWholeWarp = 0xffffffffu;

// t += scale * slice(values), its labels weighted or mixed.
struct Term {
  const Link* links;  // [points, degree]
  const float *values, *scale, *label_weights, *compatibility;
  int degree;
};

struct Update {
  Term terms[kMaxKernels];
  int count;
  const float* unary;
  float* q;
  std::size_t points, labels, row;
  bool use_true_exp;
  unsigned long long *bad, iteration;
};

// The labels of a thread: K fours, `lanes` fours apart.
template <int K>
struct Labels {
  float4 four[K];
};

template <int K>
__device__ __forceinline__ Labels<K> slice(const Term& term, std::size_t p, std::size_t row, RowLanes lanes) {
  Labels<K> sum;
#pragma unroll
  for (int k = 0; k < K; ++k) sum.four[k] = all_four(0.0f);
  const Link* const links = term.links + p * term.degree;
#pragma unroll 3
  for (int r = 0; r < term.degree; ++r) {
    const Link link = links[r];
    const float* const values = term.values + link.index * row;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int piece = lanes.lane() + k * lanes.lanes();
      if (piece < lanes.pieces) add_product(sum.four[k], link.weight, load_four(values + 4 * piece));
    }
  }
  return sum;
}

template <int K>
__device__ __forceinline__ void add_term(const Term& term, std::size_t p, std::size_t row, RowLanes lanes,
                                         Labels<K>& t) {
  Labels<K> slices = slice<K>(term, p, row, lanes);
  const float scale = term.scale[p];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int piece = lanes.lane() + k * lanes.lanes();
    float4& s = slices.four[k];
    if (term.label_weights && piece < lanes.pieces) {
      const float4 w = load_four(term.label_weights + 4 * piece);
      s = make_float4(s.x * w.x, s.y * w.y, s.z * w.z, s.w * w.w);
    }
    add_product(t.four[k], scale, s);
  }
}

// The same with a matrix: every thread needs all labels' slices, in their order.
template <int K>
__device__ __forceinline__ void add_matrix_term(const Term& term, std::size_t p, std::size_t row,
                                                std::size_t labels, RowLanes lanes, Labels<K>& t) {
  const Labels<K> slices = slice<K>(term, p, row, lanes);
  const float scale = term.scale[p];
  const int group = static_cast<int>(threadIdx.x % 32) - lanes.lane();
#pragma unroll
  for (int k = 0; k < K; ++k) {
    for (int lane = 0; lane < lanes.lanes() && lane + k * lanes.lanes() < lanes.pieces; ++lane) {
      const float4 s = slices.four[k];
      const float from[4] = {
          __shfl_sync(kWholeWarp, s.x, group + lane), __shfl_sync(kWholeWarp, s.y, group + lane),
          __shfl_sync(kWholeWarp, s.z, group + lane), __shfl_sync(kWholeWarp, s.w, group + lane)};
      const std::size_t first = 4 * static_cast<std::size_t>(lane + k * lanes.lanes());
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        if (first + c >= labels) continue;
        const float* const to = term.compatibility + (first + c) * row;
#pragma unroll
        for (int own = 0; own < K; ++own) {
          const int piece = lanes.lane() + own * lanes.lanes();
          if (piece < lanes.pieces) add_product(t.four[own], scale * from[c], load_four(to + 4 * piece));
        }
      }
    }
  }
}

// Minus infinity for what is no label.
template <int K>
__device__ __forceinline__ void mask_padding(Labels<K>& t, std::size_t labels, RowLanes lanes) {
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const std::size_t first = 4 * static_cast<std::size_t>(lanes.lane() + k * lanes.lanes());
    const float none = -__int_as_float(0x7f800000);
    t.four[k].x = first < labels ? t.four[k].x : none;
    t.four[k].y = first + 1 < labels ? t.four[k].y : none;
    t.four[k].z = first + 2 < labels ? t.four[k].z : none;
    t.four[k].w = first + 3 < labels ? t.four[k].w : none;
  }
}

__device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; }

__device__ __forceinline__ float exponential(float x, bool exact) {
  return exact ? true_exp(x) : fast_exp(x);
}

// softmax of t, in place. Returns the sum, which is added up in the order of the labels.
template <int K>
__device__ __forceinline__ float softmax(Labels<K>& t, RowLanes lanes, bool exact) {
  float best = t.four[0].x;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const float4 v = t.four[k];
    best = larger(larger(larger(best, v.x), larger(v.y, v.z)), v.w);
  }
  for (int other = 1; other < lanes.lanes(); other *= 2) {
    best = larger(best, __shfl_xor_sync(kWholeWarp, best, other));
  }
#pragma unroll
  for (int k = 0; k < K; ++k) {
    float4& v = t.four[k];
    v.x = exponential(v.x - best, exact);
    v.y = exponential(v.y - best, exact);
    v.z = exponential(v.z - best, exact);
    v.w = exponential(v.w - best, exact);
  }
  // From lane to lane; the padding adds 0.
  const int group = static_cast<int>(threadIdx.x % 32) - lanes.lane();
  float sum = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    for (int lane = 0; lane < lanes.lanes() && lane + k * lanes.lanes() < lanes.pieces; ++lane) {
      const float4 v = t.four[k];
      sum = __shfl_sync(kWholeWarp, sum + v.x + v.y + v.z + v.w, group + lane);
    }
  }
#pragma unroll
  for (int k = 0; k < K; ++k) {
    float4& v = t.four[k];
    v = make_float4(v.x / sum, v.y / sum, v.z / sum, v.w / sum);
  }
  return sum;
}

template <int K>
KERNEL(kThreads, 1)
void update_points(Update update, RowLanes lanes) {
  // The last warp's spare threads do the last point once more, because warps exchange values.
  const std::size_t own = lanes.row(kThreads), p = own < update.points ? own : update.points - 1;
  Labels<K> t;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int piece = lanes.lane() + k * lanes.lanes();
    const float4 u =
        piece < lanes.pieces ? load_four(update.unary + p * update.row + 4 * piece) : all_four(0.0f);
    t.four[k] = make_float4(-u.x, -u.y, -u.z, -u.w);
  }
  for (int i = 0; i < update.count; ++i) {
    if (!update.terms[i].compatibility) add_term<K>(update.terms[i], p, update.row, lanes, t);
  }
  for (int i = 0; i < update.count; ++i) {
    if (update.terms[i].compatibility) {
      add_matrix_term<K>(update.terms[i], p, update.row, update.labels, lanes, t);
    }
  }
  mask_padding(t, update.labels, lanes);
  const float sum = softmax(t, lanes, update.use_true_exp);
  if (own >= update.points) return;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int piece = lanes.lane() + k * lanes.lanes();
    if (piece < lanes.pieces) store_four(update.q + p * update.row + 4 * piece, t.four[k]);
  }
  if (!(sum == sum) && lanes.lane() == 0) atomicMin(update.bad, update.iteration << 32 | p);
}

template <int K>
void launch_update(const Update& update, RowLanes lanes, Stream stream) {
  launch(update_points<K>,
         block_count(static_cast<std::int64_t>(update.points), lanes.rows_of_block(kThreads)), kThreads, 0,
         stream, update, lanes);
}

void run(const Update& update, Stream stream) {
  const RowLanes lanes(update.row);
  switch ((lanes.pieces + 31) / 32) {
    case 1:
      return launch_update<1>(update, lanes, stream);
    case 2:
      return launch_update<2>(update, lanes, stream);
    case 3:
    case 4:
      return launch_update<4>(update, lanes, stream);
    case 5:
    case 6:
    case 7:
    case 8:
      return launch_update<8>(update, lanes, stream);
    default:
      throw std::invalid_argument("a CRF on a GPU has at most 1024 labels");
  }
}

KERNEL(kThreads, 1)
void find_best_labels(const float* q, std::int16_t* best, std::size_t points, std::size_t labels,
                      std::size_t row) {
  const std::size_t p = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (p >= points) return;
  const float* const values = q + p * row;
  std::size_t first = 0;
  float most = values[0];
  for (std::size_t l = 1; l < labels; ++l) {
    const float value = values[l];
    if (value > most) most = value, first = l;
  }
  best[p] = static_cast<std::int16_t>(first);
}

}  // namespace

void mean_field_start(const float* unary, float* q, std::size_t points, std::size_t labels, bool use_true_exp,
                      unsigned long long* bad, Stream stream) {
  Update update{};
  update.unary = unary;
  update.q = q;
  update.points = points;
  update.labels = labels;
  update.row = padded_labels(labels);
  update.use_true_exp = use_true_exp;
  update.bad = bad;
  run(update, stream);
}

void mean_field_iterate(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                        std::size_t points, std::size_t labels, int iterations, bool use_true_exp,
                        unsigned long long* bad, Stream stream) {
  if (kernels.size() > kMaxKernels) throw std::invalid_argument("a CRF on a GPU has at most 8 kernels");
  Filter filters[kMaxKernels]{};
  Update update{};
  update.count = static_cast<int>(kernels.size());
  update.unary = unary;
  update.q = q;
  update.points = points;
  update.labels = labels;
  update.row = padded_labels(labels);
  update.use_true_exp = use_true_exp;
  update.bad = bad;
  for (int k = 0; k < update.count; ++k) {
    const PairwiseKernel& kernel = kernels[k];
    const Lattice& lattice = *kernel.filter.lattice;
    filters[k] = kernel.filter;
    update.terms[k] = {lattice.slice,        filtered_values(kernel.filter, labels),
                       kernel.scale,         kernel.label_weights,
                       kernel.compatibility, lattice.dims + 1};
  }
  for (int iteration = 1; iteration <= iterations; ++iteration) {
    filter_values(filters, update.count, q, update.row, labels, false, stream);
    update.iteration = static_cast<unsigned long long>(iteration);
    run(update, stream);
  }
}

void best_labels(const float* q, std::int16_t* best, std::size_t points, std::size_t labels, Stream stream) {
  launch(find_best_labels, block_count(static_cast<std::int64_t>(points), kThreads), kThreads, 0, stream, q,
         best, points, labels, padded_labels(labels));
}

}  // namespace device
