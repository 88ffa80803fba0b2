// A thread per position; neighbouring threads read neighbouring values of a label.
#include "pixelwise/cuda/labels.h"
#include "pixelwise/softmax.h"
#include "platform/cuda/runtime.cuh"

namespace device {

namespace {

constexpr int kThreads = 128;
// Labels of a position that fit beside those of the block's others in 48 KB of shared memory.
constexpr std::int64_t kSharedLabels = 48 * 1024 / (kThreads * sizeof(float));

// The number of the thread's position, and the address of its first label.
struct Position {
  std::int64_t number, offset;
};

__device__ __forceinline__ Position position_of(std::int64_t i, std::int64_t channels, std::int64_t inner) {
  const std::int64_t outer = i / inner, number = i - outer * inner;
  return {number, outer * channels * inner + number};
}

// The labels of a position stay in shared memory between the passes over them: each thread has a column of
// its own there, so nobody waits for anybody.
KERNEL(kThreads, 1)
void softmax_kernel(const float* x, float* y, std::int64_t count, std::int64_t channels, std::int64_t inner) {
  DYNAMIC_SHARED(float, columns);
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const Position p = position_of(i, channels, inner);
  float* e = columns + threadIdx.x;
  float maximum = x[p.offset];
  for (std::int64_t c = 0; c < channels; ++c) {
    const float value = x[p.offset + c * inner];
    e[c * kThreads] = value;
    maximum = maximum < value ? value : maximum;
  }
  for (std::int64_t c = 0; c < channels; ++c) e[c * kThreads] = exact_expf(e[c * kThreads] - maximum);
  const float sum = label_sum(e, channels, kThreads, label_order(p.number, channels, inner));
  for (std::int64_t c = 0; c < channels; ++c) y[p.offset + c * inner] = e[c * kThreads] / sum;
}

KERNEL(kThreads, 1)
void softmax_of_many_kernel(const float* x, float* y, std::int64_t count, std::int64_t channels,
                            std::int64_t inner) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const Position p = position_of(i, channels, inner);
  softmax_point(x + p.offset, y + p.offset, channels, inner, p.number);
}

KERNEL(kThreads, 1)
void argmax_kernel(const float* x, float* labels, float* values, std::int64_t count, std::int64_t channels,
                   std::int64_t inner, std::int64_t top_k) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  const std::int64_t from = position_of(i, channels, inner).offset;
  const std::int64_t to = position_of(i, top_k, inner).offset;
  if (top_k > 1) {
    argmax_point(x + from, labels + to, values + to, channels, inner, top_k);
    return;
  }
  const LabelValue best = best_label(x + from, channels, inner);
  labels[to] = best.label;
  values[to] = best.value;
}

}  // namespace

void softmax(const float* x, float* y, std::int64_t outer, std::int64_t channels, std::int64_t inner,
             Stream stream) {
  const std::int64_t count = outer * inner;
  if (count == 0) return;
  const bool shared = channels <= kSharedLabels;
  launch(shared ? softmax_kernel : softmax_of_many_kernel, block_count(count, kThreads), kThreads,
         shared ? channels * kThreads * sizeof(float) : 0, stream, x, y, count, channels, inner);
}

void argmax(const float* x, float* labels, float* values, std::int64_t outer, std::int64_t channels,
            std::int64_t inner, std::int64_t top_k, Stream stream) {
  const std::int64_t count = outer * inner;
  if (count == 0) return;
  launch(argmax_kernel, block_count(count, kThreads), kThreads, 0, stream, x, labels, values, count, channels,
         inner, top_k);
}

}  // namespace device
