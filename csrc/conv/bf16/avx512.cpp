// Sums by VDPBF16PS (AVX-512-BF16).
#include "conv/bf16/rounding.h"
#include "conv/simd/conv_accumulate.h"

namespace ISA {
namespace {

void round(const float* inputs, int64_t channels, int64_t taps, float* words) {
  round_inputs<1>(inputs, channels, taps, words, round_row);
}

struct Pair {
  static constexpr int kRowStep = kBf16Chunk;
  HOST_DEVICE Vector add(Vector w, Vector x, Vector sum) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(x));
  }
};

void accumulate_pairs(int64_t depth, const int64_t* weight_offset, const float* weights, const float* words,
                      int lanes, int rows, bool first, float* sums) {
  const Offsets offset{weight_offset, nullptr};
  for (int row = 0; row < rows; row += kConvRows) {
    accumulate<Pair>(depth, offset, weights + row * kBf16Chunk, Ahead{}, words, lanes, first,
                     sums + row * kLanes);
  }
}

}  // namespace

const Bf16Kernels bf16_pair_kernels = {&avx512::conv_kernels, 1, nullptr, nullptr, round, accumulate_pairs};

}  // namespace ISA
