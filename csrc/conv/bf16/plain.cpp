// What the instructions compute, plainly: it defines the numbers.
#include "conv/bf16/accumulate_pairs.h"
#include "conv/bf16/bf16_value.h"
#include "conv/bf16/rounding.h"

namespace ISA {
namespace {

template <int pairs>
void round(const float* inputs, int64_t channels, int64_t taps, float* words) {
  round_inputs<pairs>(inputs, channels, taps, words, [](const float* first, const float* second, float* to) {
    for (int i = 0; i < kLanes; ++i) to[i] = bf16_pair(first[i], second[i]);
  });
}

// VDPBF16PS: a fused multiply-add of the second numbers, then one of the first.
struct Pair {
  static constexpr int kRowStep = kBf16Chunk;
  HOST_DEVICE float add(float w, float x, float sum) {
    sum = flush(fused_multiply_add(second_of_pair(w), second_of_pair(x), flush(sum)));
    return flush(fused_multiply_add(first_of_pair(w), first_of_pair(x), sum));
  }
};

// TDPBF16PS: of 16 pairs a chain of the first numbers' products and one of the second ones', which are added,
// then added to the sum.
void accumulate_tiles(int64_t depth, const int64_t* weight_offset, const float* weights, const float* words,
                      int lanes, int rows, bool first, float* sums) {
  for (int row = 0; row < rows; ++row, sums += kLanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      float sum = first ? 0.0f : flush(sums[lane]);
      for (int64_t i = 0; i < depth; i += kBf16Chunk) {
        float chain = 0.0f, other = 0.0f;
        for (int64_t k = i; k < i + kBf16Chunk; ++k) {
          const float w = weights[weight_offset[k] + row * kBf16Chunk], x = words[k * kLanes + lane];
          chain = flush(fused_multiply_add(first_of_pair(w), first_of_pair(x), chain));
          other = flush(fused_multiply_add(second_of_pair(w), second_of_pair(x), other));
        }
        sum = flush(sum + flush(chain + other));
      }
      sums[lane] = sum;
    }
  }
}

}  // namespace

const Bf16Kernels bf16_pair_kernels = {&conv_kernels, 1, nullptr, nullptr, round<1>, accumulate_pairs<Pair>};
const Bf16Kernels bf16_tile_kernels = {&conv_kernels, kBf16Chunk,        nullptr,
                                       nullptr,       round<kBf16Chunk>, accumulate_tiles};

}  // namespace ISA
