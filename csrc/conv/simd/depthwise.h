// Depthwise atrous convolution: each output channel reads one input channel.
#pragma once

#include <cstdint>

#include "conv/atrous_conv.h"
#include "platform/isa.h"

// weights: [out_channels, kernel_height, kernel_width]; the rest as for atrous_conv. Always true.
DECLARE_PER_ISA(bool depthwise_conv(const ConvGeometry& g, const float* x, const float* weights,
                                    const EpilogueStep* steps, std::int64_t step_count, float* y,
                                    int threads))
