#include "pixelwise/threshold.h"

namespace ISA {

void threshold(const float* x, float limit, float* y, std::int64_t count, int threads) {
#pragma omp parallel for simd num_threads(threads) if (parallel : count > (1 << 14))
  for (std::int64_t i = 0; i < count; ++i) y[i] = threshold_value(x[i], limit);
}

}  // namespace ISA
