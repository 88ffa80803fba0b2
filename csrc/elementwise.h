// Layers that treat every value alike. Each product and each sum rounds on its own, as in the original.
#pragma once

#include <cstdint>

#include "host_device.h"
#include "isa.h"

// max(x, 0) + slope * min(x, 0); keeps the sign of zero and NaN that these words give, term by term.
HOST_DEVICE float relu_value(float x, float slope) {
  const float positive = x < 0.0f ? 0.0f : x;
  const float negative = 0.0f < x ? 0.0f : x;
  return positive + slope * negative;
}

HOST_DEVICE float clip_value(float x, float low, float high) { return x < low ? low : high < x ? high : x; }

HOST_DEVICE float batch_norm_value(float x, float mean, float deviation) { return (x - mean) / deviation; }

// x and y may be the same array.
DECLARE_PER_ISA(void relu(const float* x, float slope, float* y, std::int64_t count, int threads))
DECLARE_PER_ISA(void exact_exp(const float* x, float* y, std::int64_t count, int threads))
DECLARE_PER_ISA(void exact_log(const float* x, float* y, std::int64_t count, int threads))

// x, y: [outer, channels, inner]; one mean, deviation, factor, bias, slope per channel.
DECLARE_PER_ISA(void batch_norm(const float* x, const float* mean, const float* deviation, float* y,
                                std::int64_t outer, std::int64_t channels, std::int64_t inner, int threads))
// `factor` or `bias` may be null: then there is no product, or no sum.
DECLARE_PER_ISA(void scale(const float* x, const float* factor, const float* bias, float* y,
                           std::int64_t outer, std::int64_t channels, std::int64_t inner, int threads))
DECLARE_PER_ISA(void prelu(const float* x, const float* slope, float* y, std::int64_t outer,
                           std::int64_t channels, std::int64_t inner, int threads))

// The C library's own functions, value by value.
void c_tanh(const float* x, float* y, std::int64_t count, int threads);
void c_pow(const float* x, float exponent, float* y, std::int64_t count, int threads);
