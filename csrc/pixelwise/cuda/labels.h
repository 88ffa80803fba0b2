// What is computed over the labels of each position, on the device; arrays as in pixelwise/softmax.h.
#pragma once

#include <cstdint>

#include "platform/cuda/stream.h"

namespace device {

void softmax(const float* x, float* y, std::int64_t outer, std::int64_t channels, std::int64_t inner,
             Stream stream);
void argmax(const float* x, float* labels, float* values, std::int64_t outer, std::int64_t channels,
            std::int64_t inner, std::int64_t top_k, Stream stream);

}  // namespace device
