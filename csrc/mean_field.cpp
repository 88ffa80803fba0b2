#include "mean_field.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "mean_field_ops.h"

namespace {

// A lattice being filtered, with its two tables of values.
struct Filter {
  const Lattice* lattice;
  const float* pre;
  Buffer<float> values, other;

  Filter(const Lattice& one, const float* factor, std::size_t labels)
      : lattice(&one),
        pre(factor),
        values((std::size_t{one.vertices()} + 1) * padded_labels(labels)),
        other(values.size()) {}
  const float* result() { return lattice->blurred(values.data(), other.data()); }
};

// Splat and blur of q through all lattices. Threads meet twice only: they may share their processors with
// others.
void run(std::vector<Filter>& filters, const float* q, std::size_t q_stride, std::size_t labels, bool adjoint,
         int threads) {
  const std::size_t row = padded_labels(labels), count = filters.size();
  const std::size_t pieces = 16 * threads;
  const std::size_t chunk = (row / kRow + threads - 1) / threads * kRow, chunks = (row + chunk - 1) / chunk;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic, 1)
    for (std::size_t i = 0; i < pieces * count; ++i) {
      Filter& filter = filters[i / pieces];
      filter.lattice->splat(q, q_stride, row, filter.pre, filter.values.data(), i % pieces, pieces);
    }
#pragma omp for schedule(dynamic, 1)
    for (std::size_t i = 0; i < chunks * count; ++i) {
      Filter& filter = filters[count - 1 - i / chunks];  // the last is mostly the largest
      const std::size_t first = i % chunks * chunk;
      filter.lattice->blur(row, first, std::min(first + chunk, row), filter.values.data(),
                           filter.other.data(), adjoint);
    }
  }
}

std::size_t update(const std::vector<KernelTerm>& terms, const float* unary, float* q, std::size_t points,
                   std::size_t labels, bool exact_exponential, int threads) {
  std::size_t bad = points;
#pragma omp parallel num_threads(threads) reduction(min : bad)
  {
    Buffer<float> scratch((kUpdateTile + 2) * padded_labels(labels));
    constexpr std::size_t kPiece = 1024;
#pragma omp for schedule(dynamic, 1)
    for (std::size_t piece = 0; piece < (points + kPiece - 1) / kPiece; ++piece) {
      const std::size_t last = std::min(points, (piece + 1) * kPiece);
      const std::size_t found =
          SELECT_ISA(update_pixels)(terms.data(), static_cast<int>(terms.size()), unary, q, piece * kPiece,
                                    last, labels, exact_exponential, scratch.data());
      if (found < last) bad = std::min(bad, found);
    }
  }
  return bad;
}

}  // namespace

std::size_t mean_field_start(const float* unary, float* q, std::size_t points, std::size_t labels,
                             bool exact_exponential, int threads) {
  advise_huge_pages(q, points * labels * sizeof(float));
  return update({}, unary, q, points, labels, exact_exponential, threads);
}

std::size_t mean_field_iterate(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                               std::size_t points, std::size_t labels, int iterations, bool exact_exponential,
                               int threads) {
  std::vector<Filter> filters;
  for (const PairwiseKernel& kernel : kernels) filters.emplace_back(*kernel.lattice, kernel.pre, labels);
  std::vector<KernelTerm> terms(kernels.size());
  for (int iteration = 0; iteration < iterations; ++iteration) {
    run(filters, q, labels, labels, false, threads);
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      const PairwiseKernel& kernel = kernels[k];
      terms[k] = {kernel.lattice->slice_links(), kernel.lattice->dims() + 1,
                  filters[k].result(),           kernel.scale,
                  kernel.label_weights,          kernel.compatibility};
    }
    const std::size_t bad = update(terms, unary, q, points, labels, exact_exponential, threads);
    if (bad < points) return bad;
  }
  return points;
}

void lattice_filter(const Lattice& lattice, const float* q, std::size_t q_stride, std::size_t labels,
                    const float* pre, bool adjoint, float* out, int threads) {
  std::vector<Filter> filters;
  filters.emplace_back(lattice, pre, labels);
  run(filters, q, q_stride, labels, adjoint, threads);
  const std::size_t row = padded_labels(labels);
#pragma omp parallel num_threads(threads)
  {
    const std::size_t t = omp_get_thread_num(), team = omp_get_num_threads();
    SELECT_ISA(slice_pixels)
    (lattice.slice_links(), lattice.dims() + 1, lattice.points() * t / team,
     lattice.points() * (t + 1) / team, row, filters[0].result(), out);
  }
}

void best_labels(const float* q, std::int16_t* best, std::size_t points, std::size_t labels, int threads) {
#pragma omp parallel for num_threads(threads)
  for (std::size_t p = 0; p < points; ++p) {
    const float* row = q + p * labels;
    std::size_t first = 0;
    for (std::size_t l = 1; l < labels; ++l) first = row[l] > row[first] ? l : first;
    best[p] = static_cast<std::int16_t>(first);
  }
}
