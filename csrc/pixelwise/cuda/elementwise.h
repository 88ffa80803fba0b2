// The ops of pixelwise/elementwise.h on the device; pointers are the device's.
#pragma once

#include <cstdint>

#include "platform/cuda/stream.h"

namespace device {

// x and y may be the same array.
void relu(const float* x, float slope, float* y, std::int64_t count, Stream stream);
void exact_exp(const float* x, float* y, std::int64_t count, Stream stream);
void exact_log(const float* x, float* y, std::int64_t count, Stream stream);

// x, y: [outer, channels, inner]; one mean, deviation, factor, bias, slope per channel.
void batch_norm(const float* x, const float* mean, const float* deviation, float* y, std::int64_t outer,
                std::int64_t channels, std::int64_t inner, Stream stream);
// `factor` or `bias` may be null: then there is no product, or no sum.
void scale(const float* x, const float* factor, const float* bias, float* y, std::int64_t outer,
           std::int64_t channels, std::int64_t inner, Stream stream);
void prelu(const float* x, const float* slope, float* y, std::int64_t outer, std::int64_t channels,
           std::int64_t inner, Stream stream);

}  // namespace device
