// What is computed over the labels of each position: softmax, the best labels, the loss. Arrays are
// [outer, channels, inner]; the labels of a position are `inner` apart.
#pragma once

#include <cfloat>
#include <cstdint>

#include "host_device.h"
#include "isa.h"
#include "libm_exact.h"

// One position: the maximum is subtracted, exponentials are added in label order from 0. x may be y.
HOST_DEVICE void softmax_point(const float* x, float* y, std::int64_t channels, std::int64_t inner) {
  float maximum = x[0];
  for (std::int64_t c = 1; c < channels; ++c) {
    maximum = maximum < x[c * inner] ? x[c * inner] : maximum;
  }
  float sum = 0.0f;
  for (std::int64_t c = 0; c < channels; ++c) {
    y[c * inner] = exact_expf(x[c * inner] - maximum);
    sum += y[c * inner];
  }
  for (std::int64_t c = 0; c < channels; ++c) y[c * inner] /= sum;
}

// One position: the top_k labels by falling value, the higher label first among equals.
HOST_DEVICE void argmax_point(const float* x, float* labels, float* values, std::int64_t channels,
                              std::int64_t inner, std::int64_t top_k) {
  float last_value = 0.0f;
  std::int64_t last = -1;
  for (std::int64_t k = 0; k < top_k; ++k) {
    std::int64_t best = -1;
    for (std::int64_t c = channels - 1; c >= 0; --c) {
      const float value = x[c * inner];
      const bool free = last < 0 || value < last_value || (value == last_value && c < last);
      if (free && (best < 0 || value > x[best * inner])) best = c;
    }
    // Only NaN can leave nothing to choose from.
    last = best < 0 ? 0 : best;
    last_value = x[last * inner];
    labels[k * inner] = static_cast<float>(last);
    values[k * inner] = last_value;
  }
}

DECLARE_PER_ISA(void softmax(const float* x, float* y, std::int64_t outer, std::int64_t channels,
                             std::int64_t inner, int threads))
// labels, values: [outer, top_k, inner]
DECLARE_PER_ISA(void argmax(const float* x, float* labels, float* values, std::int64_t outer,
                            std::int64_t channels, std::int64_t inner, std::int64_t top_k, int threads))

// -weight[label] * log(max(probability of the label, FLT_MIN)) added up over the positions in order, and the
// weights as well: sums[0], sums[1]; and the number of positions counted. labels: [outer, inner];
// weights: [channels]; a position with one of the `ignored` labels is left out.
// Returns -1, or the index in `labels` of the first that is neither ignored nor in 0..channels-1.
std::int64_t softmax_loss(const float* probability, const float* labels, const float* weights,
                          const std::int32_t* ignored, std::int64_t ignored_count, float* sums,
                          std::int64_t* counted, std::int64_t outer, std::int64_t channels,
                          std::int64_t inner);
