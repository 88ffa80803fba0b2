// Atrous (dilated) convolution in the canonical reduction order: geometry, the order, the tap-skipping plan.
//
// One output is a sum over k = (input channel in the group, kernel row, kernel column), the last fastest. K
// is cut into blocks; each block is one chain of fused multiply-adds that starts at 0, and the blocks are
// added in order, then the bias. Threads, tiles and vectors run across outputs, never across this sum, so
// every schedule gives the same bits. (The order is that of OpenBLAS 0.3.21's SkylakeX sgemm, which the
// original programs were linked with.)
#pragma once

#include <cstdint>
#include <vector>

constexpr int kConvRows = 8;    // output channels in a register tile
constexpr int kConvLanes = 48;  // output positions in a register tile: three AVX-512 vectors

struct ConvGeometry {
  int64_t batch, groups;
  int64_t in_channels, in_height, in_width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width, stride_height, stride_width;
  int64_t pad_height, pad_width, dilation_height, dilation_width;

  int64_t taps() const { return kernel_height * kernel_width; }
  int64_t depth() const { return in_channels / groups * taps(); }  // K
  int64_t rows() const { return out_channels / groups; }           // M
  int64_t row_tiles() const { return (rows() + kConvRows - 1) / kConvRows; }
};

// Length of the block that starts where `rest` (> 0) of K is left.
inline int64_t reduction_block(int64_t rest) {
  constexpr int64_t kQ = 448;
  if (rest >= 2 * kQ) return kQ;
  if (rest > kQ) return (rest / 2 + 15) / 16 * 16;
  return rest;
}

// Consecutive output rows (or columns) and the kernel rows (columns) that reach the image from at least one
// of them.
struct TapInterval {
  int64_t begin, end;
  std::vector<int> taps;
};

// Cuts 0..out into intervals whose outputs see the same taps. Cuts that would save fewer than `worth` output
// positions' work (each output here standing for `extent` positions), or leave an interval shorter than
// `shortest`, are not made.
std::vector<TapInterval> tap_intervals(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                                       int64_t dilation, int64_t extent, int64_t worth, int64_t shortest);

// Multiply-adds of one image that the plan performs (padding taps left out), over all output channels.
int64_t planned_multiply_adds(const ConvGeometry& g);

// Floats in the packed weights: [group][row tile][k][kConvRows], missing rows of the last tile 0.
int64_t packed_weights_size(const ConvGeometry& g);
void pack_weights(const ConvGeometry& g, const float* weights, float* packed);
void unpack_weights(const ConvGeometry& g, const float* packed, float* weights);

// What happens to an output after its sum, each step with the roundings of the layer it stands for.
struct EpilogueStep {
  enum Kind {
    kBias,       // v + a[channel]
    kBatchNorm,  // (v - a[channel]) / b[channel]
    kScale,      // v * a[channel]
    kSum,        // fma(coefficients in the order of the bottoms): v and a, laid out as y
    kRelu,       // max(v, 0) + first * min(v, 0)
  };
  Kind kind;
  const float *a, *b;
  float first, second;  // kSum: of v and of a; kRelu: the slope
  bool after;           // kSum: v is added after a
};

// y [batch, out_channels, out_height, out_width] = steps(conv(x [batch, in_channels, in_height, in_width])).
// y may be the tensor of a kSum.
void atrous_conv(const ConvGeometry& g, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, int threads);
