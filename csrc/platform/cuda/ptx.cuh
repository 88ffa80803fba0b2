// One function per instruction that CUDA C++ has no word for (PTX ISA 8.0 and later). The emulator has a twin
// of each, so that kernels which use them run on the host too.
#pragma once

#include <cstdint>

#include "platform/cuda/cp_async.cuh"
#include "platform/cuda/runtime.cuh"
#include "platform/cuda/switches.h"

#ifdef __CUDACC__

// wgmma and setmaxnreg exist on sm_90a only; for other targets a kernel that uses them has an empty body, and
// the host does not launch it.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define HAVE_WGMMA 1
#endif

namespace ptx {

// An address in shared memory, in bytes.
using SharedAddress = uint32_t;

__device__ __forceinline__ SharedAddress shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// As ::copy_async_16.
__device__ __forceinline__ void copy_async_16(SharedAddress to, const void* from, bool zero) {
  if constexpr (kIgnoreSource) {
    asm volatile(
        "{ .reg .pred p; setp.ne.b32 p, %2, 0; cp.async.cg.shared.global [%0], [%1], 16, p; }" ::"r"(to),
        "l"(from), "r"(static_cast<int>(zero))
        : "memory");
  } else {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(zero ? 0 : 16)
                 : "memory");
  }
}

// As ::copy_async_4.
__device__ __forceinline__ void copy_async_4(SharedAddress to, const void* from, bool zero) {
  asm volatile(
      "{ .reg .pred p; setp.ne.b32 p, %2, 0; cp.async.ca.shared.global [%0], [%1], 4, p; }" ::"r"(to),
      "l"(from), "r"(static_cast<int>(zero))
      : "memory");
}

// ---- matrix products of a warp (sm_80) ----

// Four matrices of 8 rows of 16 bytes; lanes 8i..8i+7 give the addresses of the rows of matrix i. Register i
// of lane l: the 4 bytes number l % 4 of row l / 4.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(row)
               : "memory");
}

#define MMA_SYNC(shape_and_types)                                         \
  asm volatile("mma.sync.aligned." shape_and_types                        \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, " \
               "%2, %3};"                                                 \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])           \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))

// d [16 x 8] += a [16 x 32 bytes] * b [8 x 32 bytes] transposed.
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  MMA_SYNC("m16n8k16.row.col.f32.bf16.bf16.f32");
}
__device__ __forceinline__ void mma_fp16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  MMA_SYNC("m16n8k16.row.col.f32.f16.f16.f32");
}
__device__ __forceinline__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  MMA_SYNC("m16n8k8.row.col.f32.tf32.tf32.f32");
}
#undef MMA_SYNC

// The nearest tf32, ties away from zero.
__device__ __forceinline__ uint32_t round_tf32(float x) {
  uint32_t y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}

// Two values, rounded to nearest, as bf16 or fp16; the first is the low half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  uint32_t y;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}
__device__ __forceinline__ uint32_t pack_fp16(float low, float high) {
  uint32_t y;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}
__device__ __forceinline__ float fp16_value(uint16_t bits) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(bits));
  return y;
}

// ---- barriers in shared memory, bulk copies (sm_90) ----

__device__ __forceinline__ void barrier_init(SharedAddress barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// After the barriers are made, before the others use them.
__device__ __forceinline__ void barrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void barrier_arrive(SharedAddress barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Arrives once all cp.async that this thread has started are done.
__device__ __forceinline__ void barrier_arrive_after_copies(SharedAddress barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

// Arrives, and the phase also waits for `bytes` of bulk copies.
__device__ __forceinline__ void barrier_arrive_expect(SharedAddress barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

// Waits until the phase of this parity is over (the first phase has parity 0).
__device__ __forceinline__ void barrier_wait(SharedAddress barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}\n" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// Copies a multiple of 16 bytes and reports them to the barrier.
__device__ __forceinline__ void copy_bulk(SharedAddress to, const void* from, uint32_t bytes,
                                          SharedAddress barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
      "l"(from), "r"(bytes), "r"(barrier)
      : "memory");
}

// What this thread wrote to shared memory before is seen by wgmma and bulk copies after.
__device__ __forceinline__ void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// The named barrier `id` (1..15), reached by `threads` threads.
template <int id, int threads>
__device__ __forceinline__ void named_barrier() {
  asm volatile("bar.sync %0, %1;" ::"n"(id), "n"(threads) : "memory");
}

// Registers a thread of this warpgroup has from here on.
template <int count>
__device__ __forceinline__ void registers_decrease() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
__device__ __forceinline__ void registers_increase() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

}  // namespace ptx

#else

#define HAVE_WGMMA 1
#include "platform/emulator/ptx.h"

#endif
