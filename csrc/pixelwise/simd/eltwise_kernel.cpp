// Eltwise over one run of memory. The pragmas: y may be a, and is read before it is written.
#include "pixelwise/eltwise.h"

namespace ISA {

void eltwise_start(EltwiseOperation operation, const float* a, float ca, const float* b, float cb, float* y,
                   int64_t size) {
  switch (operation) {
    case EltwiseOperation::sum:
#pragma GCC ivdep
      for (int64_t i = 0; i < size; ++i) y[i] = eltwise_sum(eltwise_sum(0.0f, ca, a[i]), cb, b[i]);
      return;
    case EltwiseOperation::max:
#pragma GCC ivdep
      for (int64_t i = 0; i < size; ++i) y[i] = eltwise_first_max(a[i], b[i]);
      return;
    case EltwiseOperation::prod:
#pragma GCC ivdep
      for (int64_t i = 0; i < size; ++i) y[i] = eltwise_prod(a[i], b[i]);
      return;
  }
}

void eltwise_next(EltwiseOperation operation, const float* x, float c, float* y, int64_t size) {
  switch (operation) {
    case EltwiseOperation::sum:
#pragma GCC ivdep
      for (int64_t i = 0; i < size; ++i) y[i] = eltwise_sum(y[i], c, x[i]);
      return;
    case EltwiseOperation::max:
#pragma GCC ivdep
      for (int64_t i = 0; i < size; ++i) y[i] = eltwise_max(y[i], x[i]);
      return;
    case EltwiseOperation::prod:
#pragma GCC ivdep
      for (int64_t i = 0; i < size; ++i) y[i] = eltwise_prod(y[i], x[i]);
      return;
  }
}

}  // namespace ISA
