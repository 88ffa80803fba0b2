// Copies from device memory straight to shared memory (cp.async, sm_80 and later) that run beside the
// arithmetic. A thread's copies since its last commit form a group; waiting is for all but the latest groups.
#pragma once

#include "platform/cuda/runtime.cuh"

#ifdef __CUDACC__

__device__ __forceinline__ unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// 4 bytes from `from`; with `zero` nothing is read, zeros are written.
__device__ __forceinline__ void copy_async_4(float* shared, const float* from, bool zero) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %2, 0; cp.async.ca.shared.global [%0], [%1], 4, p; }" ::"r"(
                   shared_address(shared)),
               "l"(from), "r"(static_cast<int>(zero))
               : "memory");
}

// 8 bytes, both addresses multiples of 8.
__device__ __forceinline__ void copy_async_8(void* shared, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(shared_address(shared)), "l"(from)
               : "memory");
}

// As copy_async_4 for 16 bytes, which pass by the first-level cache; both addresses are multiples of 16.
__device__ __forceinline__ void copy_async_16(void* shared, const void* from, bool zero) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %2, 0; cp.async.cg.shared.global [%0], [%1], 16, p; }" ::"r"(
                   shared_address(shared)),
               "l"(from), "r"(static_cast<int>(zero))
               : "memory");
}

// Keeps the compiler from computing the value again wherever it is used.
template <class T>
__device__ __forceinline__ void keep(T*& pointer) {
  asm volatile("" : "+l"(pointer));
}
__device__ __forceinline__ void keep(int& value) { asm volatile("" : "+r"(value)); }
__device__ __forceinline__ void keep(unsigned& value) { asm volatile("" : "+r"(value)); }

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Until at most `pending` of this thread's groups are under way; a barrier then shows the copies to others.
template <int pending>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

#else

#include "platform/emulator/cp_async.h"

#endif
