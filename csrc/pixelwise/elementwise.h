// Layers that treat every value alike. Each product and each sum rounds on its own, as in the original.
#pragma once

#include <cstdint>

#include "platform/host_device.h"
#include "platform/isa.h"

// T: float, or a vector register of the instruction set.

// max(x, 0) + slope * min(x, 0); keeps the sign of zero and NaN that these words give, term by term.
template <typename T>
HOST_DEVICE T relu_value(T x, T slope) {
  const T zero{};
  const T positive = x < zero ? zero : x;
  const T negative = zero < x ? zero : x;
  return positive + slope * negative;
}

template <typename T>
HOST_DEVICE T clip_value(T x, T low, T high) {
  return x < low ? low : (high < x ? high : x);
}

template <typename T>
HOST_DEVICE T batch_norm_value(T x, T mean, T deviation) {
  return (x - mean) / deviation;
}

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
