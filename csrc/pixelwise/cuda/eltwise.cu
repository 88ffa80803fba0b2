// A thread takes four neighbouring values of every bottom in turn. More bottoms than fit in a kernel's
// arguments go in several launches, each starting from the one before.
#include "pixelwise/cuda/eltwise.h"
#include "pixelwise/eltwise.h"
#include "platform/cuda/runtime.cuh"

namespace device {

namespace {

constexpr int kThreads = 256;
constexpr int kBottoms = 8;  // in one launch

struct Bottoms {
  const float* x[kBottoms];
  float coefficient[kBottoms];
  int count;
  bool first;    // of the launches: y starts from x[0] and x[1], else from the top
  bool aligned;  // to 16 bytes, and the top as well
};

template <EltwiseOperation kOperation>
__device__ __forceinline__ float next(float y, float coefficient, float x) {
  if (kOperation == EltwiseOperation::sum) return eltwise_sum(y, coefficient, x);
  return kOperation == EltwiseOperation::max ? eltwise_max(y, x) : eltwise_prod(y, x);
}

// What y starts as, of which the first bottom is x.
template <EltwiseOperation kOperation>
__device__ __forceinline__ float start(float coefficient, float x) {
  return kOperation == EltwiseOperation::sum ? eltwise_sum(0.0f, coefficient, x) : x;
}

// With the second bottom; only of these two does the second win ties.
template <EltwiseOperation kOperation>
__device__ __forceinline__ float second(float y, float coefficient, float x) {
  return kOperation == EltwiseOperation::max ? eltwise_first_max(y, x) : next<kOperation>(y, coefficient, x);
}

template <EltwiseOperation kOperation>
__device__ __forceinline__ float combine_one(const Bottoms& b, const float* top, std::int64_t i) {
  float y = b.first ? start<kOperation>(b.coefficient[0], b.x[0][i]) : top[i];
  int k = 0;
  if (b.first) {
    y = second<kOperation>(y, b.coefficient[1], b.x[1][i]);
    k = 2;
  }
  for (; k < b.count; ++k) y = next<kOperation>(y, b.coefficient[k], b.x[k][i]);
  return y;
}

__device__ __forceinline__ float4 load4(const float* x, std::int64_t i) {
  return *reinterpret_cast<const float4*>(x + i);
}

#define EACH_OF_FOUR(call) make_float4(call(x), call(y), call(z), call(w))

template <EltwiseOperation kOperation>
__device__ __forceinline__ float4 combine_four(const Bottoms& b, const float* top, std::int64_t i) {
  float4 y;
  int k = 0;
  if (b.first) {
    const float4 u = load4(b.x[0], i), v = load4(b.x[1], i);
    const float cu = b.coefficient[0], cv = b.coefficient[1];
#define CALL(f) second<kOperation>(start<kOperation>(cu, u.f), cv, v.f)
    y = EACH_OF_FOUR(CALL);
#undef CALL
    k = 2;
  } else {
    y = load4(top, i);
  }
  for (; k < b.count; ++k) {
    const float4 v = load4(b.x[k], i);
    const float c = b.coefficient[k];
#define CALL(f) next<kOperation>(y.f, c, v.f)
    y = EACH_OF_FOUR(CALL);
#undef CALL
  }
  return y;
}

template <EltwiseOperation kOperation>
KERNEL(kThreads, 1)
void eltwise_kernel(const __grid_constant__ Bottoms b, float* top, std::int64_t size) {
  const std::int64_t i = 4 * (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x);
  if (b.aligned && i + 4 <= size) {
    *reinterpret_cast<float4*>(top + i) = combine_four<kOperation>(b, top, i);
  } else {
    for (std::int64_t j = i; j < i + 4 && j < size; ++j) top[j] = combine_one<kOperation>(b, top, j);
  }
}

}  // namespace

void eltwise(int operation, const std::vector<std::uintptr_t>& bottoms,
             const std::vector<float>& coefficients, std::uintptr_t top, std::int64_t size, Stream stream) {
  if (size == 0) return;
  const auto wanted = EltwiseOperation(operation);
  const auto kernel = wanted == EltwiseOperation::sum   ? eltwise_kernel<EltwiseOperation::sum>
                      : wanted == EltwiseOperation::max ? eltwise_kernel<EltwiseOperation::max>
                                                        : eltwise_kernel<EltwiseOperation::prod>;
  for (std::size_t done = 0; done < bottoms.size();) {
    Bottoms b{};
    b.first = done == 0;
    std::uintptr_t all = top;
    while (b.count < kBottoms && done < bottoms.size()) {
      b.x[b.count] = reinterpret_cast<const float*>(bottoms[done]);
      b.coefficient[b.count] = coefficients[done];
      all |= bottoms[done];
      ++b.count;
      ++done;
    }
    b.aligned = (all & 15) == 0;
    launch(kernel, block_count((size + 3) / 4, kThreads), kThreads, 0, stream, b,
           reinterpret_cast<float*>(top), size);
  }
}

}  // namespace device
