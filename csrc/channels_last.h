// Kernels for tensors in channels-last memory, [image, row, column, channel]: neighbouring lanes are
// neighbouring channels, threads share out the rows.
#pragma once

#include <cstdint>

#include "conv_plan.h"
#include "isa.h"

// As `interp` (interp.h), bit for bit. x: [batch, full_height, full_width, channels]; y: [batch, out_height,
// out_width, y_pixel], of which the first `channels` values of each position are written.
DECLARE_PER_ISA(void interp_channels_last(const float* x, float* y, std::int64_t batch, std::int64_t channels,
                                          std::int64_t full_height, std::int64_t full_width, std::int64_t top,
                                          std::int64_t left, std::int64_t height, std::int64_t width,
                                          std::int64_t out_height, std::int64_t out_width,
                                          std::int64_t y_pixel, bool half_pixel, int threads))

// Each output channel reads one input channel. weights: [kernel_height, kernel_width, channels]; bias:
// [channels]. Inputs are cut off at `low_input` and `high_input`, outputs at `low` and `high`; NaN stays.
DECLARE_PER_ISA(void depthwise_channels_last(const ConvGeometry& g, const float* x, const float* weights,
                                             const float* bias, float* y, float low_input, float high_input,
                                             float low, float high, int threads))
