#include "pixelwise/threshold.h"
#include "platform/cuda/runtime.cuh"

namespace device {

namespace {

constexpr int kThreads = 256;

// A thread a value.
KERNEL(kThreads, 1)
void threshold_kernel(const float* x, float limit, float* y, std::int64_t count) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) y[i] = threshold_value(x[i], limit);
}

}  // namespace

void threshold(const float* x, float limit, float* y, std::int64_t count, Stream stream) {
  if (count == 0) return;
  launch(threshold_kernel, block_count(count, kThreads), kThreads, 0, stream, x, limit, y, count);
}

}  // namespace device
