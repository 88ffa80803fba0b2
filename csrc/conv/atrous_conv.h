// Atrous (dilated) convolution in the canonical reduction order.
//
// One output is a sum over k = (input channel in the group, kernel row, kernel column), the last fastest. K
// is cut into blocks; each block is one chain of fused multiply-adds that starts at 0, and the blocks are
// added in order, then the bias. Threads, tiles and vectors run across outputs, never across this sum, so
// every schedule gives the same bits. (The order is that of OpenBLAS 0.3.21's SkylakeX sgemm, which the
// original programs were linked with.)
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"
#include "conv/epilogue.h"

// y [batch, out_channels, out_height, out_width] = steps(conv(x [batch, in_channels, in_height, in_width])),
// with weights as conv_weights.h packs them.
// y may be the tensor of a kSum.
void atrous_conv(const ConvGeometry& g, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, int threads);
