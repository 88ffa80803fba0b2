#include "crf/mean_field.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "crf/mean_field_ops.h"
#include "platform/interrupt.h"

namespace {

// A lattice being filtered, with its two tables of values.
struct Filter {
  const Lattice* lattice;
  const float* pre;
  Buffer<float> values, blurred;

  Filter(const Lattice& one, const float* factor, std::size_t labels)
      : lattice(&one),
        pre(factor),
        values((std::size_t{one.vertices()} + 1) * padded_labels(labels)),
        blurred(values.size()) {}
};

// Whether all lattices were built with the same strips of pixels, so that they can be splatted together.
bool strips_agree(const std::vector<Filter>& filters) {
  for (const Filter& filter : filters) {
    if (filter.lattice->strips().size() != filters[0].lattice->strips().size()) return false;
  }
  return !filters.empty();
}

// Splats q to all lattices' values, but for the late links.
void splat(std::vector<Filter>& filters, const float* q, std::size_t q_stride, std::size_t labels,
           int threads) {
  const std::size_t row = padded_labels(labels);
  std::size_t strips = 0;
  for (const Filter& filter : filters) strips = std::max(strips, filter.lattice->strips().size());
  // All lattices take a piece of q while it is in the cache.
  constexpr std::size_t kPiece = 512;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (std::size_t i = 0; i < strips; ++i) {
    std::size_t longest = 0;
    for (Filter& filter : filters) {
      if (i >= filter.lattice->strips().size()) continue;
      const PixelStrip& strip = filter.lattice->strips()[i];
      filter.lattice->clear(i, row, filter.values.data());
      longest = std::max(longest, strip.last - strip.first);
    }
    for (std::size_t piece = 0; piece < longest; piece += kPiece) {
      for (Filter& filter : filters) {
        if (i >= filter.lattice->strips().size()) continue;
        const PixelStrip& strip = filter.lattice->strips()[i];
        const std::size_t first = std::min(strip.first + piece, strip.last);
        filter.lattice->splat(i, first, std::min(first + kPiece, strip.last), q, q_stride, row, filter.pre,
                              filter.values.data());
      }
    }
  }
}

// The late links of a splat, then the blur, which ends in `blurred`. Threads meet twice only: they may share
// their processors with others. They take lattices rather than labels where there are enough: labels of one
// row share a cache line, which threads that write to it hand to and fro.
void blur(std::vector<Filter>& filters, const float* q, std::size_t q_stride, std::size_t labels,
          bool adjoint, int threads) {
  if (filters.empty()) return;  // a CRF without kernels
  const std::size_t row = padded_labels(labels), count = filters.size();
  const std::size_t pieces = 16 * threads;
  const std::size_t parts = (threads + count - 1) / count;  // of a row
  const std::size_t chunk = (row / kRow + parts - 1) / parts * kRow, chunks = (row + chunk - 1) / chunk;
  bool late = false;
  for (const Filter& filter : filters) late = late || filter.lattice->has_late_links();
#pragma omp parallel num_threads(threads)
  {
    if (late) {
#pragma omp for schedule(dynamic, 1)
      for (std::size_t i = 0; i < pieces * count; ++i) {
        Filter& filter = filters[i / pieces];
        filter.lattice->splat_late(i % pieces, pieces, q, q_stride, row, filter.pre, filter.values.data());
      }
    }
#pragma omp for schedule(dynamic, 1)
    for (std::size_t i = 0; i < chunks * count; ++i) {
      Filter& filter = filters[count - 1 - i / chunks];  // the last is mostly the largest
      const std::size_t first = i % chunks * chunk;
      filter.lattice->blur(row, first, std::min(first + chunk, row), filter.values.data(),
                           filter.blurred.data(), adjoint);
    }
  }
  for (Filter& filter : filters) {
    if (filter.lattice->blurs_in_place()) filter.values.swap(filter.blurred);
  }
}

// Room for SIMD code's scratch rows; a thread's own.
Buffer<float> update_scratch(std::size_t labels) {
  Buffer<float> scratch((2 * kUpdateTile + 2) * padded_labels(labels));
  std::fill(scratch.data(), scratch.data() + scratch.size(), 0.0f);
  return scratch;
}

std::size_t update(const std::vector<KernelTerm>& terms, const float* unary, float* q, std::size_t points,
                   std::size_t labels, bool use_true_exp, int threads) {
  std::size_t bad = points;
#pragma omp parallel num_threads(threads) reduction(min : bad)
  {
    Buffer<float> scratch = update_scratch(labels);
    constexpr std::size_t kPiece = 1024;
#pragma omp for schedule(dynamic, 1)
    for (std::size_t piece = 0; piece < (points + kPiece - 1) / kPiece; ++piece) {
      const std::size_t last = std::min(points, (piece + 1) * kPiece);
      const std::size_t found =
          SELECT_ISA(update_pixels)(terms.data(), static_cast<int>(terms.size()), unary, q, piece * kPiece,
                                    last, labels, use_true_exp, scratch.data());
      if (found < last) bad = std::min(bad, found);
    }
  }
  return bad;
}

// The same, and the splat of the new q but for the late links; of q itself only what those need is written.
std::size_t update_and_splat(std::vector<Filter>& filters, const std::vector<KernelTerm>& terms,
                             const float* unary, float* q, std::size_t points, std::size_t labels,
                             bool use_true_exp, int threads) {
  const std::size_t strips = filters[0].lattice->strips().size();
  std::size_t bad = points;
#pragma omp parallel num_threads(threads) reduction(min : bad)
  {
    Buffer<float> scratch = update_scratch(labels);
    std::vector<KernelTerm> own = terms;
#pragma omp for schedule(dynamic, 1)
    for (std::size_t i = 0; i < strips; ++i) {
      for (std::size_t k = 0; k < filters.size(); ++k) {
        filters[k].lattice->clear(i, padded_labels(labels), filters[k].values.data());
        own[k].next = filters[k].values.data();
        own[k].first_vertex = filters[k].lattice->strips()[i].first_vertex;
      }
      const PixelStrip& strip = filters[0].lattice->strips()[i];
      const std::size_t found =
          SELECT_ISA(update_pixels)(own.data(), static_cast<int>(own.size()), unary, q, strip.first,
                                    strip.last, labels, use_true_exp, scratch.data());
      if (found < strip.last) bad = std::min(bad, found);
    }
  }
  return bad;
}

std::vector<Filter> filters_of(const std::vector<PairwiseKernel>& kernels, std::size_t labels) {
  std::vector<Filter> filters;
  for (const PairwiseKernel& kernel : kernels) filters.emplace_back(*kernel.lattice, kernel.pre, labels);
  return filters;
}

// `splatted`: q is in the filters' values already.
std::size_t iterate(const std::vector<PairwiseKernel>& kernels, std::vector<Filter>& filters, bool splatted,
                    const float* unary, float* q, std::size_t points, std::size_t labels, int iterations,
                    bool use_true_exp, int threads) {
  std::vector<KernelTerm> terms(kernels.size());
  const bool fused = strips_agree(filters);
  Interruptible work;
  for (int left = iterations; left > 0; --left) {
    work.check();
    if (!splatted) splat(filters, q, labels, labels, threads);
    blur(filters, q, labels, labels, false, threads);
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      const PairwiseKernel& kernel = kernels[k];
      terms[k] = {kernel.lattice->links(),
                  kernel.lattice->dims() + 1,
                  slice_gain(kernel.lattice->dims()),
                  filters[k].blurred.data(),
                  kernel.scale,
                  kernel.label_weights,
                  kernel.compatibility,
                  kernel.pre,
                  nullptr,
                  0};
    }
    splatted = fused && left > 1;
    const std::size_t bad =
        splatted ? update_and_splat(filters, terms, unary, q, points, labels, use_true_exp, threads)
                 : update(terms, unary, q, points, labels, use_true_exp, threads);
    if (bad < points) return bad;
  }
  return points;
}

}  // namespace

std::size_t mean_field_start(const float* unary, float* q, std::size_t points, std::size_t labels,
                             bool use_true_exp, int threads) {
  advise_huge_pages(q, points * labels * sizeof(float));
  return update({}, unary, q, points, labels, use_true_exp, threads);
}

std::size_t mean_field_iterate(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                               std::size_t points, std::size_t labels, int iterations, bool use_true_exp,
                               int threads) {
  std::vector<Filter> filters = filters_of(kernels, labels);
  return iterate(kernels, filters, false, unary, q, points, labels, iterations, use_true_exp, threads);
}

std::size_t mean_field(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                       std::size_t points, std::size_t labels, int iterations, bool use_true_exp,
                       int threads) {
  std::vector<Filter> filters = filters_of(kernels, labels);
  std::size_t bad;
  const bool fused = strips_agree(filters) && iterations > 0;
  if (fused) {
    advise_huge_pages(q, points * labels * sizeof(float));
    std::vector<KernelTerm> terms;  // splat only
    for (const PairwiseKernel& kernel : kernels) {
      const Lattice& lattice = *kernel.lattice;
      terms.push_back({lattice.links(), lattice.dims() + 1, 0, nullptr, nullptr, nullptr, nullptr, kernel.pre,
                       nullptr, 0});
    }
    bad = update_and_splat(filters, terms, unary, q, points, labels, use_true_exp, threads);
  } else {
    bad = mean_field_start(unary, q, points, labels, use_true_exp, threads);
  }
  if (bad < points) return bad;
  return iterate(kernels, filters, fused, unary, q, points, labels, iterations, use_true_exp, threads);
}

void lattice_filter(const Lattice& lattice, const float* q, std::size_t q_stride, std::size_t labels,
                    const float* pre, bool adjoint, float* out, int threads) {
  std::vector<Filter> filters;
  filters.emplace_back(lattice, pre, labels);
  splat(filters, q, q_stride, labels, threads);
  blur(filters, q, q_stride, labels, adjoint, threads);
#pragma omp parallel num_threads(threads)
  {
    const std::size_t t = omp_get_thread_num(), team = omp_get_num_threads();
    SELECT_ISA(slice_pixels)
    (lattice.links(), lattice.dims() + 1, slice_gain(lattice.dims()), lattice.points() * t / team,
     lattice.points() * (t + 1) / team, labels, filters[0].blurred.data(), out);
  }
}

void best_labels(const float* q, std::int16_t* best, std::size_t points, std::size_t labels, int threads) {
  constexpr std::size_t kPiece = 4096;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (std::size_t piece = 0; piece < (points + kPiece - 1) / kPiece; ++piece) {
    const std::size_t first = piece * kPiece, last = std::min(points, first + kPiece);
    SELECT_ISA(best_of_pixels)(q, best, first, last, labels);
  }
}
