// What is computed over the labels of each position: softmax, the best labels, the loss. Arrays are
// [outer, channels, inner]; the labels of a position are `inner` apart.
#pragma once

#include <cfloat>
#include <cstdint>

#include "platform/host_device.h"
#include "platform/isa.h"
#include "platform/libm_exact.h"

// How the exponentials of a position are added up: as the original's BLAS does, for which it is a product of
// a matrix with a vector of ones. Up to 16384 positions and 48 labels (other than 4) it goes in label order.
// Beyond, groups of 8 labels, then of 4, 2 and 1, are summed and their sums added. Of the last, partial block
// of 4096 positions, the first 4 or 8 or 12 that do not fill a vector of 16 sum even and odd labels of a
// group apart; the last inner % 4 positions go in label order again.
enum LabelOrder { kPlain, kGrouped, kEvenAndOdd };

HOST_DEVICE bool adds_groups(std::int64_t channels, std::int64_t inner) {
  return inner > 16384 || channels > 48 || channels == 4;
}

HOST_DEVICE LabelOrder label_order(std::int64_t position, std::int64_t channels, std::int64_t inner) {
  if (!adds_groups(channels, inner) || position >= inner - inner % 4) return kPlain;
  const std::int64_t last_block = inner / 4096 * 4096;
  const std::int64_t apart = (inner % 4096) & 12;
  return position >= last_block && position < last_block + apart ? kEvenAndOdd : kGrouped;
}

// The size of the next group, of `left` labels that are left.
HOST_DEVICE std::int64_t label_group(std::int64_t left, bool grouped) {
  if (!grouped) return left;
  return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

HOST_DEVICE float label_sum(const float* e, std::int64_t channels, std::int64_t inner, LabelOrder order) {
  float sum = 0.0f;
  for (std::int64_t c = 0, size; c < channels; c += size, e += size * inner) {
    size = label_group(channels - c, order != kPlain);
    const std::int64_t step = order == kEvenAndOdd && size >= 4 ? 2 : 1;
    float part = e[0];
    for (std::int64_t k = step; k < size; k += step) part += e[k * inner];
    if (step == 2) {
      float odd = e[inner];
      for (std::int64_t k = 3; k < size; k += 2) odd += e[k * inner];
      part += odd;
    }
    sum += part;
  }
  return sum;
}

// One position: the maximum is subtracted, the exponentials are divided by their sum. x may be y.
HOST_DEVICE void softmax_point(const float* x, float* y, std::int64_t channels, std::int64_t inner,
                               std::int64_t position) {
  float maximum = x[0];
  for (std::int64_t c = 1; c < channels; ++c) {
    maximum = maximum < x[c * inner] ? x[c * inner] : maximum;
  }
  for (std::int64_t c = 0; c < channels; ++c) y[c * inner] = exact_expf(x[c * inner] - maximum);
  const float sum = label_sum(y, channels, inner, label_order(position, channels, inner));
  for (std::int64_t c = 0; c < channels; ++c) y[c * inner] /= sum;
}

// The best so far and its label; a later label with the same value wins. NaN never does.
struct LabelValue {
  float label, value;
};

HOST_DEVICE LabelValue better_label(LabelValue best, std::int64_t label, float value) {
  return value >= best.value ? LabelValue{static_cast<float>(label), value} : best;
}

// One position: its best label.
HOST_DEVICE LabelValue best_label(const float* x, std::int64_t channels, std::int64_t inner) {
  LabelValue best{0.0f, x[0]};
  for (std::int64_t c = 1; c < channels; ++c) best = better_label(best, c, x[c * inner]);
  return best;
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
