#include "pixelwise/softmax.h"

std::int64_t softmax_loss(const float* probability, const float* labels, const float* weights,
                          const std::int32_t* ignored, std::int64_t ignored_count, float* sums,
                          std::int64_t* counted, std::int64_t outer, std::int64_t channels,
                          std::int64_t inner) {
  float loss = 0.0f, weight = 0.0f;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < outer * inner; ++i) {
    // Not one cast: a float beyond the integers has no defined one.
    const bool integral = labels[i] > -1e9f && labels[i] < 1e9f;
    const std::int32_t label = integral ? static_cast<std::int32_t>(labels[i]) : -1;
    bool skip = false;
    for (std::int64_t j = 0; j < ignored_count; ++j) skip |= integral && ignored[j] == label;
    if (skip) continue;
    if (label < 0 || label >= channels) return i;
    const float p = probability[(i / inner * channels + label) * inner + i % inner];
    weight += weights[label];
    loss -= weights[label] * exact_logf(p < FLT_MIN ? FLT_MIN : p);
    ++count;
  }
  sums[0] = loss;
  sums[1] = weight;
  *counted = count;
  return -1;
}
