// The mean field on the device (crf/mean_field.h has its arithmetic). Rows of labels are padded to four,
// energies and marginals alike; what is in the padding does not matter, marginals get 0 there.
#pragma once

#include <cstdint>
#include <vector>

#include "crf/cuda/lattice_filter.h"

namespace device {

// A kernel of the mean field, as crf/mean_field_ops.h has it.
struct PairwiseKernel {
  Filter filter;               // through its lattice
  const float* scale;          // [points] factor after the filter, the weight included
  const float* label_weights;  // [padded labels], or null
  const float* compatibility;  // [labels, padded labels] (from, to), or null
};

// q = softmax(-unary). `bad` gets the first point with no distribution, in its low half; the high half is 0.
// It must hold ~0 before.
void mean_field_start(const float* unary, float* q, std::size_t points, std::size_t labels, bool use_true_exp,
                      unsigned long long* bad, Stream stream);

// Iterations of q = softmax(-unary + sum of up to kMaxKernels kernels applied to q). `bad`: as above, with
// the number of the iteration, from 1, in the high half. Nothing waits and nothing is allocated, so that a
// graph can capture it.
void mean_field_iterate(const std::vector<PairwiseKernel>& kernels, const float* unary, float* q,
                        std::size_t points, std::size_t labels, int iterations, bool use_true_exp,
                        unsigned long long* bad, Stream stream);

// The first of the largest labels of each point.
void best_labels(const float* q, std::int16_t* best, std::size_t points, std::size_t labels, Stream stream);

}  // namespace device
