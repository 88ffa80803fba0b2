// Convolution on the device; weights and the geometry's plan are prepared once.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/cuda/conv_tile_plan.h"
#include "conv/epilogue.h"
#include "platform/cuda/stream.h"

namespace device {

// Multiprocessors of the stream's device.
int processors(Stream stream);

// Floats in the packed weights: [group][k][output channel], channels filled up to whole 16 bytes with zeros.
// A depthwise convolution's weights stay as they are.
int64_t packed_weights_size(const ConvGeometry& g);
void pack_weights(const ConvGeometry& g, const float* weights, float* packed, Stream stream);
void unpack_weights(const ConvGeometry& g, const float* packed, float* weights, Stream stream);

// As atrous_conv on the CPU. tables: what plan.write_tables wrote, in device memory, aligned to 16 bytes, as
// packed; scratch: plan.scratch floats, aligned to 16 bytes.
void atrous_conv(const ConvTilePlan& plan, const void* tables, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, float* scratch, Stream stream);

// Depthwise convolution: one input channel a group (g.depthwise()).
void depthwise_conv(const ConvGeometry& g, const float* x, const float* weights,
                    const std::vector<EpilogueStep>& steps, float* y, Stream stream);

}  // namespace device
