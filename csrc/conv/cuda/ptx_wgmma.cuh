// wgmma: matrix products of a warpgroup (128 threads; sm_90a), b and possibly a in shared memory.
#pragma once

#include "conv/tensor_core.h"
#include "platform/cuda/ptx.cuh"

namespace ptx {

// Describes rows of 128 bytes one after the other, their 16-byte units swizzled (unit ^ row % 8), groups of 8
// rows 1024 bytes apart; the address is a multiple of 1024, or that plus the bytes of k left out.
__device__ __forceinline__ uint64_t swizzled_rows(SharedAddress address) {
  constexpr uint64_t kSwizzle128 = 1ull << 62, kGroupStride = uint64_t{1024 >> 4} << 32, kUnused = 1ull << 16;
  return kSwizzle128 | kGroupStride | kUnused | (address & 0x3ffff) >> 4;
}

}  // namespace ptx

#ifdef __CUDACC__

namespace ptx {

// Before the first product, and between writes to its registers and the product.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until at most `left` groups of products are under way.
template <int left>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(left) : "memory");
}

// The accumulators as operands: OPERANDS_n lists them, "+f", REGISTERS_n names them in the instruction.
#define OPERANDS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define OPERANDS_16(i) OPERANDS_4(i), OPERANDS_4(i + 4), OPERANDS_4(i + 8), OPERANDS_4(i + 12)
#define OPERANDS_32(i) OPERANDS_16(i), OPERANDS_16(i + 16)
#define OPERANDS_64(i) OPERANDS_32(i), OPERANDS_32(i + 32)
#define OPERANDS_128(i) OPERANDS_64(i), OPERANDS_64(i + 64)
#define REGISTERS_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define REGISTERS_32 \
  REGISTERS_16       \
  ", "               \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define REGISTERS_64                                                                 \
  REGISTERS_32                                                                       \
  ", "                                                                               \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define REGISTERS_128                                                                            \
  REGISTERS_64                                                                                   \
  ", "                                                                                           \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "             \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "             \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

// d [64 x n] = a [64 x 32 bytes] * b [n x 32 bytes] transposed (+ d if `add`). The predicate is the first
// operand behind those of the matrices.
#define WGMMA(shape_and_types, registers, a, b, add) \
  "{\n.reg .pred add;\nsetp.ne.b32 add, " add        \
  ", 0;\n"                                           \
  "wgmma.mma_async.sync.aligned." shape_and_types " {" registers "}, " a ", " b ", add, 1, 1"

template <TensorCoreType type, int n>
__device__ __forceinline__ void wgmma(float (&d)[n / 2], uint64_t a, uint64_t b, int add) {
  static_assert(type == TensorCoreType::kBf16 || type == TensorCoreType::kFp16);
  constexpr bool bf16 = type == TensorCoreType::kBf16;
  if constexpr (n == 32 && bf16) {
    asm volatile(WGMMA("m64n32k16.f32.bf16.bf16", REGISTERS_16, "%16", "%17", "%18") ", 0, 0;\n}\n"
                 : OPERANDS_16(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 32 && !bf16) {
    asm volatile(WGMMA("m64n32k16.f32.f16.f16", REGISTERS_16, "%16", "%17", "%18") ", 0, 0;\n}\n"
                 : OPERANDS_16(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 64 && bf16) {
    asm volatile(WGMMA("m64n64k16.f32.bf16.bf16", REGISTERS_32, "%32", "%33", "%34") ", 0, 0;\n}\n"
                 : OPERANDS_32(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 64 && !bf16) {
    asm volatile(WGMMA("m64n64k16.f32.f16.f16", REGISTERS_32, "%32", "%33", "%34") ", 0, 0;\n}\n"
                 : OPERANDS_32(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 128 && bf16) {
    asm volatile(WGMMA("m64n128k16.f32.bf16.bf16", REGISTERS_64, "%64", "%65", "%66") ", 0, 0;\n}\n"
                 : OPERANDS_64(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 128 && !bf16) {
    asm volatile(WGMMA("m64n128k16.f32.f16.f16", REGISTERS_64, "%64", "%65", "%66") ", 0, 0;\n}\n"
                 : OPERANDS_64(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 256 && bf16) {
    asm volatile(WGMMA("m64n256k16.f32.bf16.bf16", REGISTERS_128, "%128", "%129", "%130") ", 0, 0;\n}\n"
                 : OPERANDS_128(0)
                 : "l"(a), "l"(b), "r"(add));
  }
  if constexpr (n == 256 && !bf16) {
    asm volatile(WGMMA("m64n256k16.f32.f16.f16", REGISTERS_128, "%128", "%129", "%130") ", 0, 0;\n}\n"
                 : OPERANDS_128(0)
                 : "l"(a), "l"(b), "r"(add));
  }
}

// The same in tf32, with a in registers: those of mma_tf32, each warp holding 16 rows.
template <int n>
__device__ __forceinline__ void wgmma_tf32(float (&d)[n / 2], const uint32_t (&a)[4], uint64_t b, int add) {
  if constexpr (n == 32) {
    asm volatile(WGMMA("m64n32k8.f32.tf32.tf32", REGISTERS_16, "{%16, %17, %18, %19}", "%20", "%21") ";\n}\n"
                 : OPERANDS_16(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  }
  if constexpr (n == 64) {
    asm volatile(WGMMA("m64n64k8.f32.tf32.tf32", REGISTERS_32, "{%32, %33, %34, %35}", "%36", "%37") ";\n}\n"
                 : OPERANDS_32(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  }
  if constexpr (n == 128) {
    asm volatile(WGMMA("m64n128k8.f32.tf32.tf32", REGISTERS_64, "{%64, %65, %66, %67}", "%68", "%69") ";\n}\n"
                 : OPERANDS_64(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  }
  if constexpr (n == 256) {
    asm volatile(
        WGMMA("m64n256k8.f32.tf32.tf32", REGISTERS_128, "{%128, %129, %130, %131}", "%132", "%133") ";\n}\n"
        : OPERANDS_128(0)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  }
}

#undef WGMMA
#undef OPERANDS_4
#undef OPERANDS_16
#undef OPERANDS_32
#undef OPERANDS_64
#undef OPERANDS_128
#undef REGISTERS_16
#undef REGISTERS_32
#undef REGISTERS_64
#undef REGISTERS_128

}  // namespace ptx

#else

#include "conv/cuda/ptx_wgmma_emulated.h"

#endif
