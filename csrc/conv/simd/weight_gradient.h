// The vectorised parts of the weight gradient, one copy per instruction set.
#pragma once

#include <cstdint>

#include "platform/isa.h"

constexpr int kGradientRows = 8;    // input channels in a register tile
constexpr int kGradientLanes = 48;  // output channels in a register tile, at most

// Neighbouring output positions of a row whose tap lies in the image; `source` is where, in an input channel.
struct InputRun {
  int64_t source;
  int32_t position, length;
};

struct WeightGradientKernels {
  // target [positions][pitch] = the transpose of the first `lanes` rows of dy, `row_stride` floats apart;
  // lanes up to pitch (a multiple of 16) are 0.
  void (*transpose)(const float* dy, int64_t row_stride, int lanes, int pitch, int64_t positions,
                    float* target);
  // tile [kGradientRows][pitch] += for the first `rows` rows and at least `lanes` lanes the sum over the
  // runs' positions p of inputs[row][source of p] * dy[p][lane]: a single chain of fused multiply-adds from
  // 0, in order. Neighbouring positions' inputs are `stride` floats apart.
  void (*accumulate)(const InputRun* runs, int64_t count, const float* const* inputs, int rows,
                     int64_t stride, const float* dy, int lanes, int pitch, float* tile);
};

DECLARE_PER_ISA(extern const WeightGradientKernels weight_gradient_kernels)
