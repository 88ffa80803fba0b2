// Twins of ptx.cuh. A SharedAddress counts from the start of the dynamic shared memory; in the uppermost byte
// is the number of another block of the cluster, plus 1 (ptx_cluster.h). Asynchronous copies happen when they
// must have happened (at the wait) in every other block and at once in the others, so that a test sees both a
// wait and a "free again" that are missing.
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "platform/cuda/cp_async.cuh"
#include "platform/emulator/runtime.h"
#include "platform/emulator/tensor_core_sum.h"

namespace emulator {

// Nearest, ties to even.
inline uint16_t bf16_bits(float x) {
  const uint32_t bits = __float_as_uint(x);
  if (x != x) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline uint16_t fp16_bits(float x) {
  const uint32_t bits = __float_as_uint(x), magnitude = bits & 0x7fffffff;
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  if (x != x) return 0x7fff;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and more
  if (magnitude < 0x38800000) {                       // less than 2^-14: multiples of 2^-24
    return sign | static_cast<uint16_t>(std::nearbyint(std::fabs(x) * 0x1p24f));
  }
  return sign | static_cast<uint16_t>((magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13);
}
inline float bf16_value(uint16_t bits) { return __uint_as_float(static_cast<uint32_t>(bits) << 16); }
inline float fp16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude =
      std::ldexp(static_cast<float>(fraction + (exponent ? 1024 : 0)), std::max(exponent, 1) - 25);
  if (exponent == 31) magnitude = fraction ? NAN : INFINITY;
  return bits & 0x8000 ? -magnitude : magnitude;
}

constexpr int kBlockBits = 24;  // of an address, below the block's number

// Most instructions take addresses in the own block only.
inline unsigned char* shared_bytes(uint32_t address) {
  if (address >> kBlockBits) throw std::runtime_error("emulated kernel: another block's shared memory");
  return static_cast<unsigned char*>(dynamic_shared()) + address;
}

inline unsigned thread_number() {
  return thread_index.x + block_size.x * (thread_index.y + block_size.y * thread_index.z);
}

// What every lane of the warp holds at `mine`, for reading until the next meeting of the warp.
template <typename T>
inline const T* const* meet(const T& mine) {
  static const void* of_warp[kMaxClusterThreads / 32][32];
  const void** slots = of_warp[thread_of_cluster() / 32];
  slots[lane()] = &mine;
  exchange(Exchange::kSync, 0xffffffff, 0);
  return reinterpret_cast<const T* const*>(slots);
}
inline void part() { exchange(Exchange::kSync, 0xffffffff, 0); }

// Of an mbarrier.
struct BarrierWord {
  uint16_t arrivals, pending;
  uint32_t bytes : 31;  // still to come; wraps where copies arrive before they are expected
  uint32_t phase : 1;

  void arrive(uint32_t expected) {
    if (arrivals == 0xffff) throw std::runtime_error("emulated mbarrier: used before it was made");
    if (pending == 0) throw std::runtime_error("emulated mbarrier: more arrivals than it was made for");
    bytes = (bytes + expected) & 0x7fffffffu;
    --pending;
    turn();
  }
  void receive(uint32_t arrived) {
    if (arrivals == 0xffff) throw std::runtime_error("emulated mbarrier: used before it was made");
    bytes = (bytes - arrived) & 0x7fffffffu;
    turn();
  }
  void turn() {
    if (pending > 0 || bytes > 0) return;
    phase ^= 1;
    pending = arrivals;
    progress();
  }
};
static_assert(sizeof(BarrierWord) == 8);
inline BarrierWord& barrier_word(uint32_t address) {
  if (address % 8) throw std::runtime_error("emulated mbarrier: not 8-byte aligned");
  return *reinterpret_cast<BarrierWord*>(shared_bytes(address));
}

}  // namespace emulator

namespace ptx {

using SharedAddress = uint32_t;

inline SharedAddress shared_address(const void* p) {
  return static_cast<uint32_t>(static_cast<const unsigned char*>(p) - emulator::shared_bytes(0));
}

inline void copy_async_16(SharedAddress to, const void* from, bool zero) {
  unsigned char* const target = emulator::shared_bytes(to);
  emulator::check_alignment(target, from, 16);
  if (blockIdx.x % 2 == 0) {
    ::copy_async_16(target, from, zero);
  } else if (zero) {
    std::memset(target, 0, 16);
  } else {
    std::memcpy(target, from, 16);
  }
}

inline void copy_async_4(SharedAddress to, const void* from, bool zero) {
  ::copy_async_4(reinterpret_cast<float*>(emulator::shared_bytes(to)), static_cast<const float*>(from), zero);
}

inline void load_matrices(uint32_t (&r)[4], SharedAddress row) {
  if (row % 16) throw std::runtime_error("emulated ldmatrix: a row that is not 16-byte aligned");
  const SharedAddress* const* rows = emulator::meet(row);
  const int lane = emulator::lane();
  for (int i = 0; i < 4; ++i) {
    std::memcpy(&r[i], emulator::shared_bytes(*rows[8 * i + lane / 4] + lane % 4 * 4), 4);
  }
  emulator::part();
}

// value(word, i): element i of a register's 4 bytes.
template <int elements, typename Value>
inline void emulated_mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Value value) {
  struct Fragments {
    uint32_t a[4], b[2];
  };
  const Fragments mine{{a[0], a[1], a[2], a[3]}, {b0, b1}};
  const Fragments* const* all = emulator::meet(mine);
  const int lane = emulator::lane();
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4, column = lane % 4 * 2 + i % 2;
    double addend[1 + 8 * elements] = {d[i]};
    double* next = addend;
    for (int half = 0; half < 2; ++half) {
      for (int quad = 0; quad < 4; ++quad) {
        const uint32_t x = all[4 * row + quad]->a[i / 2 + 2 * half], w = all[4 * column + quad]->b[half];
        for (int e = 0; e < elements; ++e) *++next = static_cast<double>(value(x, e)) * value(w, e);
      }
    }
    d[i] = emulator::tensor_core_sum(addend);
  }
  emulator::part();
}
inline float bf16_element(uint32_t word, int i) { return emulator::bf16_value(word >> 16 * i & 0xffff); }
inline float fp16_element(uint32_t word, int i) { return emulator::fp16_value(word >> 16 * i & 0xffff); }
// The hardware leaves out the bits that a tf32 has not.
inline float tf32_element(uint32_t word, int) { return __uint_as_float(word & 0xffffe000); }

inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  emulated_mma<2>(d, a, b0, b1, bf16_element);
}
inline void mma_fp16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  emulated_mma<2>(d, a, b0, b1, fp16_element);
}
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  emulated_mma<1>(d, a, b0, b1, tf32_element);
}

inline uint32_t round_tf32(float x) {
  const uint32_t bits = __float_as_uint(x);
  if ((bits & 0x7f800000) == 0x7f800000) return bits;
  return (bits + 0x1000) & 0xffffe000;
}

inline uint32_t pack_bf16(float low, float high) {
  return emulator::bf16_bits(low) | static_cast<uint32_t>(emulator::bf16_bits(high)) << 16;
}
inline uint32_t pack_fp16(float low, float high) {
  return emulator::fp16_bits(low) | static_cast<uint32_t>(emulator::fp16_bits(high)) << 16;
}
inline float fp16_value(uint16_t bits) { return emulator::fp16_value(bits); }

inline void barrier_init(SharedAddress barrier, uint32_t arrivals) {
  const auto count = static_cast<uint16_t>(arrivals);
  emulator::barrier_word(barrier) = {count, count, 0, 0};
}
inline void barrier_init_fence() {}
inline void barrier_arrive_expect(SharedAddress barrier, uint32_t bytes) {
  emulator::barrier_word(barrier).arrive(bytes);
}
inline void barrier_arrive(SharedAddress barrier) { barrier_arrive_expect(barrier, 0); }
// The copies are made here, as late as the barrier may be told of them.
inline void barrier_arrive_after_copies(SharedAddress barrier) {
  commit_copies();
  wait_for_copies<0>();
  barrier_arrive(barrier);
}
inline void barrier_wait(SharedAddress barrier, uint32_t parity) {
  while (emulator::barrier_word(barrier).phase == parity) emulator::yield();
}
inline void copy_bulk(SharedAddress to, const void* from, uint32_t bytes, SharedAddress barrier) {
  if (to % 16 || reinterpret_cast<uintptr_t>(from) % 16 || bytes % 16) {
    throw std::runtime_error("emulated bulk copy: not 16-byte aligned");
  }
  std::memcpy(emulator::shared_bytes(to), from, bytes);
  emulator::barrier_word(barrier).receive(bytes);
}
inline void fence_async_proxy() {}

template <int id, int threads>
inline void named_barrier() {
  emulator::barrier(id, threads);
}
template <int count>
inline void registers_decrease() {}
template <int count>
inline void registers_increase() {}

}  // namespace ptx
