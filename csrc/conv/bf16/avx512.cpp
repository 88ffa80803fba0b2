// Sums by VDPBF16PS (AVX-512-BF16).
#include "conv/bf16/accumulate_pairs.h"
#include "conv/bf16/rounding.h"

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

}  // namespace

const Bf16Kernels bf16_pair_kernels = {&avx512::conv_kernels, 1, nullptr, nullptr, round,
                                       accumulate_pairs<Pair>};

}  // namespace ISA
