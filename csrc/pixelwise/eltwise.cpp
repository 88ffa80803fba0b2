#include "pixelwise/eltwise.h"

#include <algorithm>

#include "platform/isa.h"

DECLARE_PER_ISA(void eltwise_start(EltwiseOperation operation, const float* a, float ca, const float* b,
                                   float cb, float* y, int64_t size))
DECLARE_PER_ISA(void eltwise_next(EltwiseOperation operation, const float* x, float c, float* y,
                                  int64_t size))

void eltwise(EltwiseOperation operation, const float* const* bottoms, const float* coefficients, int count,
             float* top, int64_t size, int threads) {
  // Small enough that the result stays in the first-level cache over all bottoms.
  constexpr int64_t block = 4096;
  const auto start = SELECT_ISA(eltwise_start);
  const auto next = SELECT_ISA(eltwise_next);
  // Waking threads costs more than a few blocks of work.
  if (size < 8 * block) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < size; i += block) {
    const int64_t n = std::min(block, size - i);
    start(operation, bottoms[0] + i, coefficients[0], bottoms[1] + i, coefficients[1], top + i, n);
    for (int b = 2; b < count; ++b) next(operation, bottoms[b] + i, coefficients[b], top + i, n);
  }
}
