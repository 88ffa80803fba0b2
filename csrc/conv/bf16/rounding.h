// A tile's inputs, rounded and in pairs.
#pragma once

#include "conv/bf16/bf16_kernels.h"
#include "conv/simd/tile_size.h"

namespace ISA {
namespace {

// See Bf16Kernels::round. round_row: makes the words of kLanes pairs.
template <int pairs_at_once, typename RoundRow>
HOST_DEVICE void round_inputs(const float* inputs, int64_t channels, int64_t taps, float* words,
                              const RoundRow& round_row) {
  alignas(64) static const float zeros[kLanes] = {};
  const int64_t filled = divide_up(divide_up(channels, 2), pairs_at_once) * pairs_at_once;
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t pair = 0; pair < filled; ++pair, words += kLanes) {
      const auto row = [&](int64_t channel) {
        return channel < channels ? inputs + (channel * taps + tap) * kLanes : zeros;
      };
      round_row(row(2 * pair), row(2 * pair + 1), words);
    }
  }
}

#ifdef ISA_AVX512

HOST_DEVICE void round_row(const float* first, const float* second, float* words) {
  alignas(64) constexpr int16_t order[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i in_turn = _mm512_load_si512(order);
#pragma GCC unroll 3
  for (int i = 0; i < kLanes; i += kWidth) {
    const __m512bh both = _mm512_cvtne2ps_pbh(load(second + i), load(first + i));
    _mm512_storeu_si512(words + i, _mm512_permutexvar_epi16(in_turn, reinterpret_cast<__m512i>(both)));
  }
}

#endif

}  // namespace
}  // namespace ISA
