// Convolution of one group with inputs and weights rounded to bf16, sums and epilogue in float32.
//
// Products of two such numbers are exact in float32. An output is summed over blocks of channels, in each
// over the kernel's taps, of each over pairs of neighbouring channels; how pairs are added is their
// instruction's arithmetic (conv/bf16/plain.cpp), the same for every number of threads and images.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"
#include "conv/epilogue.h"

// Whose arithmetic, and who does it: VDPBF16PS or TDPBF16PS, or plain code that gives their bits.
enum class Bf16Way { avx512, amx, avx512_plain, amx_plain };
constexpr const char* kBf16Ways[] = {"avx512", "amx", "avx512_plain", "amx_plain"};

// Whether this processor, build and system have the instructions.
bool has(Bf16Way way);

// Floats in the packed weights, which hold two numbers each, and packing: [16 rows of output
// channels][tap][16 pairs of channels][row][pair], what is missing 0.
int64_t bf16_weights_size(const ConvGeometry& g);
void pack_bf16_weights(const ConvGeometry& g, const float* weights, float* packed, int threads);

// As atrous_conv. Throws std::invalid_argument if there are several groups, or no such instructions.
void bf16_conv(const ConvGeometry& g, Bf16Way way, const float* x, const float* packed,
               const std::vector<EpilogueStep>& steps, float* y, int threads);
