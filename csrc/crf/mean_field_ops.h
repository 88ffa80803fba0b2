// The mean-field iteration over kernels, each a lattice with its weights.
#pragma once

#include <vector>

#include "crf/lattice_simd.h"
#include "crf/lattice_table.h"

struct PairwiseKernel {
  const Lattice* lattice;
  const float* pre;            // [points] factor before the filter, or null
  const float* scale;          // [points] factor after it, the weight included
  const float* label_weights;  // [padded labels], or null
  const float* compatibility;  // [labels, padded labels] (from, to), or null
};

// q = softmax(-unary), both [points, labels]. Returns the first point with no distribution (NaN, or infinite
// energies only), or `points`.
std::size_t mean_field_start(const float* unary, float* q, std::size_t points, std::size_t labels,
                             bool use_true_exp, int threads);

// Iterations of q = softmax(-unary + sum of kernels applied to q). kRow floats beyond q's end must be
// readable.
std::size_t mean_field_iterate(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                               std::size_t points, std::size_t labels, int iterations, bool use_true_exp,
                               int threads);

// The start and the iterations in one: q, which need not be set, is written at the end.
std::size_t mean_field(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                       std::size_t points, std::size_t labels, int iterations, bool use_true_exp,
                       int threads);

// out = slice(blur(splat(pre * q))), [points, labels]. The adjoint, which gradients need, blurs the axes in
// reverse: each step is symmetric, the steps do not commute.
void lattice_filter(const Lattice& lattice, const float* q, std::size_t q_stride, std::size_t labels,
                    const float* pre, bool adjoint, float* out, int threads);

// The same in double precision (of the same lattice, its weights float32); q and out: [points, labels].
void lattice_filter_double(const Lattice& lattice, const double* q, std::size_t labels, const double* pre,
                           bool adjoint, double* out, int threads);

// The first of the largest labels of each point.
void best_labels(const float* q, std::int16_t* best, std::size_t points, std::size_t labels, int threads);
