// The element types of the tensor-core convolutions and their products.
#pragma once

#include "../host_device.h"
#include "../tensor_core.h"
#include "ptx.cuh"

// A bf16 or fp16 as it lies in memory.
struct Bf16 {
  uint16_t bits;
};
struct Fp16 {
  uint16_t bits;
};

template <typename T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}

#ifdef __CUDACC__
template <>
__device__ __forceinline__ Bf16 from_float<Bf16>(float x) {
  Bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <>
__device__ __forceinline__ Fp16 from_float<Fp16>(float x) {
  Fp16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
__device__ __forceinline__ float to_float(Fp16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
#else
template <>
inline Bf16 from_float<Bf16>(float x) {
  return {emulator::bf16_bits(x)};
}
template <>
inline Fp16 from_float<Fp16>(float x) {
  return {emulator::fp16_bits(x)};
}
inline float to_float(Fp16 x) { return emulator::fp16_value(x.bits); }
#endif

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(Bf16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}

// Eight neighbouring channels.
template <typename T>
union Eight {
  static constexpr int kWords = 8 * sizeof(T) / 16;
  uint4 word[kWords];
  T value[8];
};

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

// kFp32: chunks summed by the tensor cores before the sum is added, rounded to nearest, to the others.
constexpr int kBlockChunks = 4;

// Splits floats into their tf32 and the tf32 of what is left.
__device__ __forceinline__ void split_tf32(const uint32_t (&x)[4], uint32_t (&high)[4], uint32_t (&low)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float value = __uint_as_float(x[i]);
    high[i] = ptx::round_tf32(value);
    low[i] = ptx::round_tf32(value - __uint_as_float(high[i]));
  }
}
