// A convolution's weights in the order its kernel reads them, made from an array or straight from a file.
#pragma once

#include <cstdint>

#include "conv/conv_plan.h"

// Floats in the packed weights: [group][row tile][k][kConvRows], missing rows of the last tile 0. A depthwise
// convolution's weights stay as they are.
int64_t packed_weights_size(const ConvGeometry& g);
void pack_weights(const ConvGeometry& g, const float* weights, float* packed, int threads);
void unpack_weights(const ConvGeometry& g, const float* packed, float* weights, int threads);

// pack_weights of the floats, in this machine's byte order, that lie at byte `offset` of an open file. False
// if they cannot be read or the file ends before them.
bool read_packed_weights(const ConvGeometry& g, int file, int64_t offset, float* packed, int threads);
