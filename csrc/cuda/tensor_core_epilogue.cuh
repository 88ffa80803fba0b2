// What becomes of a tile's sums: bias, absorbed layers, rounding, stores of whole sectors.
#pragma once

#include "tensor_core_types.cuh"
#include "tensor_core_walk.cuh"

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

template <TensorCoreType type>
class Epilogue {
 public:
  using Value = typename Operand<type>::Value;

  __device__ __forceinline__ Epilogue(const TensorCoreBranch& conv, const TileItem& item)
      : conv_(conv), group_(item.group) {
    whole_ = conv.out_channels % 8 == 0 && conv.group_channels % 8 == 0;
  }

  // v: the sums of channels channel.. of the group (a multiple of 8) at output `index`.
  __device__ __forceinline__ void store(float (&v)[8], int64_t index, int channel) const {
    const int count = min(8, conv_.group_channels - channel);
    if (count <= 0) return;
    if (conv_.bias) {
      const float* bias = conv_.bias + group_ * conv_.padded_channels + channel;
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] += __ldg(bias + i);
    }
    const int first = group_ * conv_.group_channels + channel;
    const int64_t at = index * conv_.out_channels + first;
    for (int s = 0; s < conv_.steps; ++s) step(conv_.step[s], v, at, first, count);
    if (conv_.float_output) {
      put(static_cast<float*>(conv_.y) + at, v, count);
    } else {
      put(static_cast<Value*>(conv_.y) + at, v, count);
    }
  }

 private:
  __device__ __forceinline__ void step(const TensorCoreStep& s, float (&v)[8], int64_t at, int first,
                                       int count) const {
    if (s.kind == TensorCoreStep::kRelu) {
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = v[i] > 0 ? v[i] : s.first * v[i];
    } else if (s.kind == TensorCoreStep::kClip) {
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = fminf(fmaxf(v[i], s.first), s.second);
    } else if (s.kind == TensorCoreStep::kAffine) {
      const float *a = static_cast<const float*>(s.a) + first, *b = static_cast<const float*>(s.b) + first;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        if (i < count) v[i] = fused_multiply_add(__ldg(a + i), v[i], __ldg(b + i));
      }
    } else {
      float other[8];
      if (conv_.float_output) {
        get(static_cast<const float*>(s.a) + at, other, count);
      } else {
        get(static_cast<const Value*>(s.a) + at, other, count);
      }
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = fused_multiply_add(s.second, other[i], s.first * v[i]);
    }
  }

  template <typename T>
  __device__ __forceinline__ void put(T* to, const float (&v)[8], int count) const {
    Eight<T> packed;
#pragma unroll
    for (int i = 0; i < 8; ++i) packed.value[i] = from_float<T>(v[i]);
    if (whole_) {
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
  __device__ __forceinline__ void get(const T* from, float (&v)[8], int count) const {
    Eight<T> packed;
    if (whole_) {
#pragma unroll
      for (int i = 0; i < Eight<T>::kWords; ++i) packed.word[i] = reinterpret_cast<const uint4*>(from)[i];
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) packed.value[i] = i < count ? from[i] : from_float<T>(0.0f);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] = to_float(packed.value[i]);
  }

  const TensorCoreBranch& conv_;
  const int group_;
  bool whole_;
};
