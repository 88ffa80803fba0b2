// The sums of bf16_conv.h, one copy per kind of instruction.
#pragma once

#include <cstdint>

#include "conv/simd/conv_tile.h"

constexpr int kBf16Rows = 2 * kConvRows;  // output channels that are summed at once
constexpr int kBf16Chunk = 16;            // pairs of channels whose weights lie together

// A word is a float's memory that holds two bf16: a pair's first channel in the lower half.
struct Bf16Kernels {
  const ConvKernels* conv;  // packs and stores; of 48 lanes, packed by tap
  // Pairs are summed so many at once: a tap's are filled up with zeros.
  int pairs;
  // Before and after a thread's use of the others. Null where nothing is to be done.
  void (*begin)();
  void (*end)();
  // Rounds a tile's inputs [channel][tap][lanes] to words [tap][pair][lanes].
  void (*round)(const float* inputs, int64_t channels, int64_t taps, float* words);
  // sums [kBf16Rows][lanes of a tile] = (first ? 0 : sums) + those of `depth` pairs, of which the i-th's
  // inputs lie at words [i] and the weights of row r at weights[weight_offset[i] + r * kBf16Chunk]; at least
  // the first `lanes` lanes and `rows` rows.
  void (*accumulate)(int64_t depth, const int64_t* weight_offset, const float* weights, const float* words,
                     int lanes, int rows, bool first, float* sums);
};

namespace portable {
// What the instructions compute, by the letter of their documentation (Intel, "64 and IA-32 Architectures
// Software Developer's Manual", VDPBF16PS and TDPBF16PS).
extern const Bf16Kernels bf16_pair_kernels, bf16_tile_kernels;
}  // namespace portable
#ifdef HAVE_X86_BF16
namespace avx512bf16 {
extern const Bf16Kernels bf16_pair_kernels;
}
namespace amx {
extern const Bf16Kernels bf16_tile_kernels;
}
#endif
