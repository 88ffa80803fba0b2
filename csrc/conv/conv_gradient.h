// The gradients of the atrous convolution, summed in the order of the original program.
//
// It computes them by matrix products, image by image, and these cut their sums into blocks as the forward
// product does (reduction_block): each block is a chain of fused multiply-adds, the blocks are added in
// order.
//   Input: first every tap's sum over the output channels, then the taps are added up, first to last, from 0.
//   Weights: the sum over the output positions of an image; the images' blocks are added up in order.
// Taps in the padding are skipped, threads share out what is independent: the bits depend on neither.
#pragma once

#include <cstdint>

#include "conv/conv_plan.h"

// g is always the geometry of the forward convolution. The data gradient wants stride 1; pad may be negative.
int64_t gradient_weights_size(const ConvGeometry& g);
void pack_gradient_weights(const ConvGeometry& g, const float* weights, float* packed, int threads);

// dx [batch, in_channels, in_height, in_width] from dy [batch, out_channels, out_height, out_width].
void conv_data_gradient(const ConvGeometry& g, const float* dy, const float* packed, float* dx, int threads);

// dw [out_channels, in_channels / groups, kernel_height, kernel_width] += the gradient, block after block.
void conv_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw, int threads);

// The original's BLAS sums small products in an order of their own: lane_dot over an image's positions.
bool small_weight_gradient_applies(const ConvGeometry& g);
void small_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw, int threads);
