// Four neighbouring labels of a row as one 16-byte word.
#pragma once

#include "platform/cuda/runtime.cuh"

__device__ __forceinline__ float4 load_four(const float* from) {
  return *reinterpret_cast<const float4*>(from);
}
__device__ __forceinline__ void store_four(float* to, float4 v) { *reinterpret_cast<float4*>(to) = v; }

__device__ __forceinline__ float4 all_four(float x) { return make_float4(x, x, x, x); }

// sum + factor * v, each rounded.
__device__ __forceinline__ void add_product(float4& sum, float factor, float4 v) {
  sum.x = sum.x + factor * v.x;
  sum.y = sum.y + factor * v.y;
  sum.z = sum.z + factor * v.z;
  sum.w = sum.w + factor * v.w;
}
