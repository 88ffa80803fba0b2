// Sums that leave out inputs of zero: behind a ReLU every second input is zero, and mostly its neighbours
// are, too.
//
// fma(weight, 0, sum) is sum, whatever the order, but for two cases. An infinite weight, or one that is no
// number, makes NaN: with such weights nothing is left out. And fma(weight, 0, -0) may be +0: a chain that
// ends as -0, which needs products too small for a float, is summed again, whole. (Where it goes on, -0 and
// +0 are the same.)
#pragma once

#include <cstdint>

#include "conv/conv_plan.h"
#include "conv/simd/conv_tile.h"

enum class ZeroInputs {
  summed,
  left_out_of_tiles,  // where all positions of a tile have zero: looking costs about 1.2 cycles a position
  left_out_of_pairs   // where two neighbours have: see nonzero_pairs.h
};

// The fastest way, judged by a sample of x.
ZeroInputs choose_zero_inputs(const ConvGeometry& g, const ConvKernels& kernels, const float* x,
                              const float* packed, int threads);

// Sums again what is -0 among a position's or tile's sums: rows are row_step floats apart, lanes lane_step.
// first: the sums are those of this block only. offset: of the whole block.
void sum_negative_zeros(int64_t depth, const Offsets& offset, const float* weights, const float* input,
                        int rows, int64_t row_step, int lanes, int64_t lane_step, bool first, float* sums);
