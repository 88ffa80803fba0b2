// Plain loops that the compiler vectorises; x may be y.
#include "pixelwise/elementwise.h"

#include "platform/libm_exact.h"

namespace ISA {

namespace {

// Long enough to be worth a thread, short enough to balance.
constexpr std::int64_t kChunk = 1 << 14;

template <typename Function>
inline void each(const float* x, float* y, std::int64_t count, int threads, Function function) {
#pragma omp parallel for num_threads(threads) schedule(dynamic) if (count > kChunk)
  for (std::int64_t begin = 0; begin < count; begin += kChunk) {
    const std::int64_t end = begin + kChunk < count ? begin + kChunk : count;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = function(x[i]);
  }
}

// function(value, channel)
template <typename Function>
inline void each_channel(const float* x, float* y, std::int64_t outer, std::int64_t channels,
                         std::int64_t inner, int threads, Function function) {
  const std::int64_t planes = outer * channels;
#pragma omp parallel for num_threads(threads) schedule(dynamic) if (planes * inner > kChunk)
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    const auto of_channel = function(plane % channels);
    const float* from = x + plane * inner;
    float* to = y + plane * inner;
#pragma omp simd
    for (std::int64_t i = 0; i < inner; ++i) to[i] = of_channel(from[i]);
  }
}

}  // namespace

void relu(const float* x, float slope, float* y, std::int64_t count, int threads) {
  each(x, y, count, threads, [=](float value) { return relu_value(value, slope); });
}

void exact_exp(const float* x, float* y, std::int64_t count, int threads) {
  each(x, y, count, threads, [](float value) { return exact_expf(value); });
}

void exact_log(const float* x, float* y, std::int64_t count, int threads) {
  each(x, y, count, threads, [](float value) { return exact_logf(value); });
}

void batch_norm(const float* x, const float* mean, const float* deviation, float* y, std::int64_t outer,
                std::int64_t channels, std::int64_t inner, int threads) {
  each_channel(x, y, outer, channels, inner, threads, [=](std::int64_t c) {
    const float m = mean[c], d = deviation[c];
    return [=](float value) { return batch_norm_value(value, m, d); };
  });
}

void scale(const float* x, const float* factor, const float* bias, float* y, std::int64_t outer,
           std::int64_t channels, std::int64_t inner, int threads) {
  if (bias == nullptr) {
    each_channel(x, y, outer, channels, inner, threads, [=](std::int64_t c) {
      const float f = factor[c];
      return [=](float value) { return value * f; };
    });
  } else if (factor == nullptr) {
    each_channel(x, y, outer, channels, inner, threads, [=](std::int64_t c) {
      const float b = bias[c];
      return [=](float value) { return value + b; };
    });
  } else {
    each_channel(x, y, outer, channels, inner, threads, [=](std::int64_t c) {
      const float f = factor[c], b = bias[c];
      return [=](float value) { return value * f + b; };
    });
  }
}

void prelu(const float* x, const float* slope, float* y, std::int64_t outer, std::int64_t channels,
           std::int64_t inner, int threads) {
  each_channel(x, y, outer, channels, inner, threads, [=](std::int64_t c) {
    const float s = slope[c];
    return [=](float value) { return relu_value(value, s); };
  });
}

}  // namespace ISA
