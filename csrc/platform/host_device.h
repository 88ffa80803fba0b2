// What the host and the device compile alike: the markers and the few primitives whose rounding matters.
#pragma once

#include <cmath>

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

// Round half to even, the default rounding mode of both sides.
HOST_DEVICE float round_half_even(float x) {
#ifdef __CUDA_ARCH__
  return rintf(x);
#else
  return __builtin_rintf(x);
#endif
}
