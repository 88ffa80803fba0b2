// Blocks that run beside each other as a cluster (sm_90) and reach each other's shared memory; PTX ISA 8.0.
#pragma once

#include "platform/cuda/ptx.cuh"

#ifdef __CUDACC__

namespace ptx {

// The block's number within its cluster.
__device__ __forceinline__ uint32_t cluster_rank() {
  uint32_t rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// Until all threads of the cluster are here; what they wrote to shared memory before is seen after.
__device__ __forceinline__ void cluster_barrier() {
  asm volatile(
      "barrier.cluster.arrive.release;\n"
      "barrier.cluster.wait.acquire;" ::
          : "memory");
}

// What lies at `address` of this block, in block `rank` of the cluster.
__device__ __forceinline__ SharedAddress in_block(SharedAddress address, uint32_t rank) {
  SharedAddress there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}

// barrier_arrive at block `rank`'s barrier of this address. It says that a stage was read, not what was
// stored: ordered in the whole cluster (.release.cluster) each arrival would be a fence of the whole GPU.
__device__ __forceinline__ void barrier_arrive_in(SharedAddress barrier, uint32_t rank) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(in_block(barrier, rank)) : "memory");
}

// copy_bulk to the same place of each block whose bit is set in `blocks`, reported to that block's barrier.
__device__ __forceinline__ void copy_bulk_to_all(SharedAddress to, const void* from, uint32_t bytes,
                                                 SharedAddress barrier, uint16_t blocks) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], %2, "
      "[%3], %4;" ::"r"(to),
      "l"(from), "r"(bytes), "r"(barrier), "h"(blocks)
      : "memory");
}

}  // namespace ptx

#else

#include "platform/emulator/ptx_cluster.h"

#endif
