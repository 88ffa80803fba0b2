// The vectorised parts of the convolution, one copy per instruction set.
#pragma once

#include <cstdint>

#include "atrous_conv.h"
#include "isa.h"

// `length` floats from `source` (of channel 0) to lane `target` of a packed row; source < 0 means zeros.
struct CopyRun {
  int64_t source;
  int32_t target, length;
};

// A run of a tile's lanes that are neighbours in an output row.
struct StoreRun {
  int64_t target;
  int32_t lane, length;
};

struct ConvKernels {
  // Copies runs of one input channel, every `stride`-th float of the source, to packed lanes.
  void (*pack)(const CopyRun* runs, int64_t count, const float* channel, int64_t stride, float* packed);
  // tile [kConvRows][kConvLanes] = (first ? 0 : tile) +
  //     sum over i < depth of weights[weight_offset[i]][row] * input[i][lane],
  // for at least the first `lanes` lanes, a single chain of fused multiply-adds in the order of i. Asks for
  // what lies at the same offsets of next_weights, unless that is null.
  void (*accumulate)(int64_t depth, const int64_t* weight_offset, const float* weights,
                     const float* next_weights, const float* input, int lanes, bool first, float* tile);
  // Takes the tile's first `rows` rows, of which the first is channel `channel`, through the steps (in
  // place), then writes the runs to y, where channels are `channel_stride` floats apart.
  void (*store)(const float* tile, int rows, const EpilogueStep* steps, int64_t step_count,
                const StoreRun* runs, int64_t run_count, int64_t channel, int64_t channel_stride, float* y);
};

DECLARE_PER_ISA(extern const ConvKernels conv_kernels)
