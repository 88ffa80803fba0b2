#include "pixelwise/elementwise.h"

#include <cmath>

void c_tanh(const float* x, float* y, std::int64_t count, int threads) {
#pragma omp parallel for num_threads(threads)
  for (std::int64_t i = 0; i < count; ++i) y[i] = std::tanh(x[i]);
}

void c_pow(const float* x, float exponent, float* y, std::int64_t count, int threads) {
#pragma omp parallel for num_threads(threads)
  for (std::int64_t i = 0; i < count; ++i) y[i] = std::pow(x[i], exponent);
}
