// Filtering through lattices on the device: splat, blur and slice of rows of labels, padded to four.
#pragma once

#include <cstdint>

#include "crf/cuda/lattice.h"

namespace device {

// Lattices that one launch takes side by side.
constexpr int kMaxKernels = 8;

HOST_DEVICE std::size_t padded_labels(std::size_t labels) { return (labels + 3) / 4 * 4; }

// Two tables of values [vertices + 1, padded labels].
inline std::size_t filter_words(unsigned vertices, std::size_t labels) {
  return 2 * (std::size_t{vertices} + 1) * padded_labels(labels);
}

// A lattice being filtered. `tables` holds filter_words(...) floats aligned to 16 bytes; pre: [points], or
// null.
struct Filter {
  const Lattice* lattice;
  const float* pre;
  float* tables;
};

// Splat and blur of q (rows q_stride floats apart, 0 or a multiple of 4; padded_labels(labels) floats of them
// are read, aligned to 16 bytes) through up to kMaxKernels lattices. `adjoint`: the axes in reverse order.
void filter_values(const Filter* filters, int count, const float* q, std::size_t q_stride, std::size_t labels,
                   bool adjoint, Stream stream);
// Where filter_values left the values.
const float* filtered_values(const Filter& filter, std::size_t labels);

// out = slice(blur(splat(pre * q))); rows of padded_labels(labels) floats in out.
void lattice_filter(const Lattice& lattice, const float* q, std::size_t q_stride, std::size_t labels,
                    const float* pre, bool adjoint, float* tables, float* out, Stream stream);

}  // namespace device
