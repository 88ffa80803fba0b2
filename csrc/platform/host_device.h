// What the host and the device compile alike: the markers and the few primitives whose rounding matters.
#pragma once

#include <cmath>
#include <cstdint>

// Internal linkage on purpose: csrc/*/simd is compiled once per instruction set, and the linker must never
// let a baseline caller end in an AVX-512 copy of an inline function.
#ifdef __CUDACC__
#define HOST_DEVICE static __host__ __device__ __forceinline__
#else
#define HOST_DEVICE static inline __attribute__((always_inline))
#endif

// One rounding. (Everything else is two: the build forbids contraction.)
HOST_DEVICE float fused_multiply_add(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}

// A float's bits, and the float of bits.
HOST_DEVICE std::uint32_t float_bits(float x) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(x);
#else
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
#endif
}

HOST_DEVICE float bits_float(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
#endif
}

// Round half to even, the default rounding mode of both sides.
HOST_DEVICE float round_half_even(float x) {
#ifdef __CUDA_ARCH__
  return rintf(x);
#else
  return __builtin_rintf(x);
#endif
}

HOST_DEVICE double round_half_even(double x) {
#ifdef __CUDA_ARCH__
  return rint(x);
#else
  return __builtin_rint(x);
#endif
}
