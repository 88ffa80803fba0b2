// How fast fused multiply-adds can be at all: registers only. The yardstick of the benchmarks.
#include "platform/fma_peak.h"

#include "platform/simd/vector.h"

namespace ISA {

float fma_chains(std::int64_t rounds) {
  constexpr int kChains = 12;  // enough to hide the latency, few enough for 16 registers
  Vector sum[kChains];
  const Vector x = broadcast(0.5f), y = broadcast(1.0f);
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sum[i] = broadcast(static_cast<float>(i));
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = fma_vector(sum[i], x, y);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = sum[0] + sum[i];
  float lanes[kWidth];
  store_vector(lanes, sum[0]);
  return lanes[0];
}

std::int64_t fma_chain_operations() { return 2 * 12 * kWidth; }

}  // namespace ISA
