// What becomes of a tile's sums: bias, absorbed layers, rounding, stores of whole sectors.
#pragma once

#include "conv/cuda/tensor_core_types.cuh"
#include "conv/cuda/tensor_core_walk.cuh"

// Four blocks of 8 channels, held as the matrix instructions leave them: lane l of every 4 has channels 2l
// and 2l + 1 of each block. After it lane l has the 8 channels of block l, in order.
__device__ __forceinline__ void transpose_quad(float (&v)[8]) {
  const int lane = threadIdx.x % 4;
#pragma unroll
  for (int step = 1; step < 4; step *= 2) {
    const bool high = lane & step;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int block = i / 2, other = i + 2 * step;
      if (block & step) continue;
      const float received = __shfl_xor_sync(0xffffffff, high ? v[i] : v[other], step);
      v[i] = high ? received : v[i];
      v[other] = high ? v[other] : received;
    }
  }
}

// Eight values of neighbouring channels, whole: all 8 exist, at the address of a 16-byte word.
template <typename T>
__device__ __forceinline__ void put_eight(T* to, const float (&v)[8], int count, bool whole) {
  Eight<T> packed;
  pack_eight(v, packed);
  if (whole) {
#pragma unroll
    for (int i = 0; i < Eight<T>::kWords; ++i) reinterpret_cast<uint4*>(to)[i] = packed.word[i];
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (i < count) to[i] = packed.value[i];
  }
}

template <typename T>
__device__ __forceinline__ void get_eight(const T* from, float (&v)[8], int count, bool whole) {
  Eight<T> packed;
  if (whole) {
#pragma unroll
    for (int i = 0; i < Eight<T>::kWords; ++i) packed.word[i] = reinterpret_cast<const uint4*>(from)[i];
  } else {
#pragma unroll
    for (int i = 0; i < 8; ++i) packed.value[i] = i < count ? from[i] : T{};
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = to_float(packed.value[i]);
}

// any_channels: whether a group's channels may be other than a multiple of 8.
template <TensorCoreType type, bool any_channels>
class Epilogue {
 public:
  __device__ __forceinline__ Epilogue(const TensorCoreBranch& conv, const TensorCoreItem& item)
      : conv_(conv),
        bias_(conv.bias ? conv.bias + item.group * conv.padded_channels : nullptr),
        first_(item.group * conv.group_channels),
        whole_(!any_channels || conv.group_channels % 8 == 0) {}

  // v: the sums of channels channel.. of the group (a multiple of 8) at outputs `row` and `row + 8`.
  __device__ __forceinline__ void store(float (&v)[2][8], const int64_t (&index)[2], int channel) const {
    const int count = min(8, conv_.group_channels - channel);
    if (count <= 0) return;
    if (bias_) {
      float bias[8];
      get_eight(bias_ + channel, bias, 8, true);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        v[0][i] += bias[i];
        v[1][i] += bias[i];
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (index[half] < 0) continue;
      const int64_t at = index[half] * conv_.out_channels + first_ + channel;
      for (int s = 0; s < conv_.steps; ++s) apply(conv_.step[s], v[half], at, first_ + channel, count);
      if (conv_.float_output) {
        put_eight(static_cast<float*>(conv_.y) + at, v[half], count, whole_);
      } else {
        put_eight(static_cast<Value*>(conv_.y) + at, v[half], count, whole_);
      }
    }
  }

 private:
  using Value = typename Operand<type>::Value;

  __device__ __forceinline__ void apply(const TensorCoreStep& step, float (&v)[8], int64_t at, int channel,
                                        int count) const {
    if (step.kind == TensorCoreStep::kRelu) {
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = v[i] < 0 ? step.first * v[i] : v[i];
    } else if (step.kind == TensorCoreStep::kClip) {
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = fminf(fmaxf(v[i], step.first), step.second);
    } else if (step.kind == TensorCoreStep::kAffine) {
      float a[8], b[8];
      get_eight(static_cast<const float*>(step.a) + channel, a, count, whole_);
      get_eight(static_cast<const float*>(step.b) + channel, b, count, whole_);
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = fused_multiply_add(a[i], v[i], b[i]);
    } else {
      float other[8];
      if (conv_.float_output) {
        get_eight(static_cast<const float*>(step.a) + at, other, count, whole_);
      } else {
        get_eight(static_cast<const Value*>(step.a) + at, other, count, whole_);
      }
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = fused_multiply_add(step.second, other[i], step.first * v[i]);
    }
  }

  const TensorCoreBranch& conv_;
  const float* const bias_;
  const int first_;
  const bool whole_;
};
