// The element types of the tensor-core convolutions and their products.
#pragma once

#include "conv/tensor_core.h"
#include "platform/cuda/ptx.cuh"
#include "platform/host_device.h"

// A bf16 or fp16 as it lies in memory.
struct Bf16 {
  uint16_t bits;
};
struct Fp16 {
  uint16_t bits;
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(Bf16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}
__device__ __forceinline__ float to_float(Fp16 x) { return ptx::fp16_value(x.bits); }

// Eight neighbouring channels.
template <typename T>
union Eight {
  static constexpr int kWords = 8 * sizeof(T) / 16;
  uint4 word[kWords];
  uint32_t pair[4 * kWords];
  T value[8];
};

__device__ __forceinline__ void pack_eight(const float (&v)[8], Eight<float>& packed) {
#pragma unroll
  for (int i = 0; i < 8; ++i) packed.value[i] = v[i];
}
__device__ __forceinline__ void pack_eight(const float (&v)[8], Eight<Bf16>& packed) {
#pragma unroll
  for (int i = 0; i < 4; ++i) packed.pair[i] = ptx::pack_bf16(v[2 * i], v[2 * i + 1]);
}
__device__ __forceinline__ void pack_eight(const float (&v)[8], Eight<Fp16>& packed) {
#pragma unroll
  for (int i = 0; i < 4; ++i) packed.pair[i] = ptx::pack_fp16(v[2 * i], v[2 * i + 1]);
}

// kParts: copies of the weights that are multiplied with the input: the value as tf32, and what is left of
// it.
template <TensorCoreType type>
struct Operand;
template <>
struct Operand<TensorCoreType::kBf16> {
  using Value = Bf16;
  static constexpr int kParts = 1;
};
template <>
struct Operand<TensorCoreType::kFp16> {
  using Value = Fp16;
  static constexpr int kParts = 1;
};
template <>
struct Operand<TensorCoreType::kTf32> {
  using Value = float;
  static constexpr int kParts = 1;
};
template <>
struct Operand<TensorCoreType::kFp32> {
  using Value = float;
  static constexpr int kParts = 2;
};

template <TensorCoreType type>
constexpr bool kFloatInput = type == TensorCoreType::kTf32 || type == TensorCoreType::kFp32;

// Splits floats into their tf32 and the tf32 of what is left.
__device__ __forceinline__ void split_tf32(const uint32_t (&x)[4], uint32_t (&high)[4], uint32_t (&low)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float value = __uint_as_float(x[i]);
    high[i] = ptx::round_tf32(value);
    low[i] = ptx::round_tf32(value - __uint_as_float(high[i]));
  }
}
