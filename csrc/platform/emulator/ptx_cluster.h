// Twins of ptx_cluster.cuh.
#pragma once

#include "platform/emulator/ptx.h"

namespace emulator {

// Also in another block of the cluster, as long as that has not ended.
inline unsigned char* cluster_bytes(uint32_t address) {
  const uint32_t block = address >> kBlockBits, offset = address & ((1u << kBlockBits) - 1);
  const uint32_t rank = block ? block - 1 : cluster_rank();
  return static_cast<unsigned char*>(dynamic_shared_of(rank)) + offset;
}

}  // namespace emulator

namespace ptx {

inline uint32_t cluster_rank() { return emulator::cluster_rank(); }
inline void cluster_barrier() { emulator::cluster_barrier(); }
inline SharedAddress in_block(SharedAddress address, uint32_t rank) {
  emulator::shared_bytes(address);  // must be the own block's
  return address | (rank + 1) << emulator::kBlockBits;
}
inline void barrier_arrive_in(SharedAddress barrier, uint32_t rank) {
  const SharedAddress there = in_block(barrier, rank);
  reinterpret_cast<emulator::BarrierWord*>(emulator::cluster_bytes(there))->arrive(0);
}

inline void copy_bulk_to_all(SharedAddress to, const void* from, uint32_t bytes, SharedAddress barrier,
                             uint16_t blocks) {
  if (to % 16 || reinterpret_cast<uintptr_t>(from) % 16 || bytes % 16) {
    throw std::runtime_error("emulated bulk copy: not 16-byte aligned");
  }
  for (uint32_t rank = 0; blocks >> rank; ++rank) {
    if (!(blocks >> rank & 1)) continue;
    std::memcpy(emulator::cluster_bytes(in_block(to, rank)), from, bytes);
    const SharedAddress there = in_block(barrier, rank);
    reinterpret_cast<emulator::BarrierWord*>(emulator::cluster_bytes(there))->receive(bytes);
  }
}

}  // namespace ptx
