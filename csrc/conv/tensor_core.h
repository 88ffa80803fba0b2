// Convolution on tensor cores: what the host's plan and the device's kernels share.
//
// An implicit GEMM over channels-last tensors: rows are output positions, columns output channels, and the
// sum runs over (tap, input channel), 128 bytes of it (a chunk) at a time. Tiles hold positions that share
// their taps as far as possible, so a tap in the padding is left out by whole tiles. The sum of one output is
// always made by one block, in one order: the same bits in every run.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"

// kTf32 and kFp32 take float32 tensors; kFp32 sums three tf32 products (Ootomo and Yokota, "Recovering single
// precision accuracy from Tensor Cores", 2022).
enum class TensorCoreType : int { kBf16, kFp16, kTf32, kFp32 };

constexpr int kUnitBytes = 16;  // what one copy to shared memory moves
constexpr int kChunkUnits = 8;
constexpr int kChunkBytes = kChunkUnits * kUnitBytes;

constexpr int kMaxBranches = 8;  // convolutions of one launch
constexpr int kMaxTensorCoreSteps = 4;

// What outputs go through after the sum and the bias, in order.
struct TensorCoreStep {
  enum Kind : int32_t {
    kAffine,  // a[channel] * v + b[channel]
    kSum,     // first * v + second * a, a laid out as y
    kRelu,    // max(v, 0) + first * min(v, 0)
    kClip,    // between first and second
  };
  int32_t kind;
  float first, second;
  const void *a, *b;
};

// One convolution of a launch. Sizes are in units where they count input: kUnitBytes of channels.
struct TensorCoreBranch {
  const void* x;        // [batch, in_height, in_width, pitch units]
  const void* weights;  // [part, group, chunk, padded channel, kChunkBytes], swizzled: see pack in ops
  const float* bias;    // [group, padded channel], or null
  void* y;              // [batch, out_height, out_width, out_channels], of x's type or float
  int32_t batch, in_height, in_width, pitch, group_units;
  int32_t out_height, out_width, out_channels, group_channels, padded_channels;
  int32_t stride_height, stride_width, pad_height, pad_width, dilation_height, dilation_width;
  int32_t kernel_height, kernel_width;
  int32_t period;         // units from one tap to the next in the weights
  int32_t period_chunks;  // chunks from one listed tap to the next
  int32_t chunks;         // of the whole kernel
  int32_t groups, float_output, steps;
  TensorCoreStep step[kMaxTensorCoreSteps];
};

struct TensorCoreLaunch {
  TensorCoreBranch branch[kMaxBranches];
  const int32_t* table;  // of TensorCoreTiles
  int32_t items, regions_at, taps_at, queues_at, queues;
};

// How a kernel's taps are laid out in chunks. Either every tap starts a chunk, so that a tile may leave taps
// out, or, if that would fill chunks badly, taps follow each other and every tile takes all of them.
struct ChunkLayout {
  int32_t units;  // of one group and tap
  bool aligned;
  int32_t period, period_chunks, chunks;
};

inline ChunkLayout chunk_layout(const ConvGeometry& g, int channels_per_unit) {
  const auto units =
      static_cast<int32_t>((g.in_channels / g.groups + channels_per_unit - 1) / channels_per_unit);
  const auto taps = static_cast<int32_t>(g.taps());
  const int32_t whole = (units + kChunkUnits - 1) / kChunkUnits;
  const int32_t dense = (units * taps + kChunkUnits - 1) / kChunkUnits;
  if (8 * whole * taps <= 9 * dense) return {units, true, whole * kChunkUnits, whole, whole * taps};
  return {units, false, units, dense, dense};
}

// The tiles of a launch as the kernels read them: 32-bit numbers.
struct TensorCoreTiles {
  // Items first, then regions, taps, queues.
  std::vector<int32_t> table;
  int32_t items, regions_at, taps_at;
  // For wgmma block (or cluster) b works on the items from queue[b] to queue[b + 1], which give all about the
  // same work. For mma.sync there are no queues: each item is a block's, the longest first.
  int32_t queues_at, queues;
  double longest;  // estimated cycles of the multiprocessor that has most to do
};

// One block's work at a time, or that of a cluster: its blocks take the next rows each. 8 numbers.
struct TensorCoreItem {
  int32_t branch, group;
  int32_t first_position, region;  // numbered region by region; the region of the first
  int32_t first_channel;           // within the group
  int32_t taps_at, taps;           // the tile's taps: row << 16 | column
  int32_t chunks;
};

// Output positions that share their taps; of every image in turn, row by row. Behind a branch's last one
// comes one of which only `begin` counts.
struct TensorCoreRegion {
  int32_t begin, y, x, height, width;
};

// A block's outputs. wgmma: for sm_90a, else mma.sync; blocks: that an SM holds (see
// blocks_per_multiprocessor); cluster: blocks that share their weights (kClusterWeights).
struct TensorCoreShape {
  int rows, columns;
  bool wgmma;
  int blocks, cluster;
};
constexpr TensorCoreShape kTensorCoreShapes[] = {
    {128, 128, false, 1, 1}, {64, 64, false, 2, 1},  {128, 32, false, 1, 1}, {128, 256, true, 1, 1},
    {128, 128, true, 1, 1},  {64, 128, true, 2, 1},  {64, 64, true, 2, 1},   {64, 32, true, 2, 1},
    {128, 64, true, 2, 1},   {128, 256, true, 1, 2}, {128, 128, true, 1, 2}, {64, 128, true, 2, 2},
    {64, 64, true, 2, 2},    {64, 32, true, 2, 2},   {128, 64, true, 2, 2},
};
constexpr int kTensorCoreShapeCount = sizeof(kTensorCoreShapes) / sizeof(kTensorCoreShapes[0]);

// Whether there is a kernel: 128 x 256 sums of kFp32 would not fit into the registers. Wide tiles store whole
// 16-byte words only.
constexpr int kAnyChannelsColumns = 32;
constexpr bool has_kernel(TensorCoreType type, TensorCoreShape shape, int64_t group_channels) {
  if (type == TensorCoreType::kFp32 && shape.columns == 256) return false;
  return shape.columns == kAnyChannelsColumns || group_channels % 8 == 0;
}

// Channels of a unit: kUnitBytes of bf16 or fp16, or of float.
constexpr int unit_channels(TensorCoreType type) {
  return type == TensorCoreType::kBf16 || type == TensorCoreType::kFp16 ? 8 : 4;
}

constexpr int blocks_per_multiprocessor(TensorCoreType type, TensorCoreShape shape) {
  const bool large = shape.columns == 128 || shape.rows == 128;
  return type == TensorCoreType::kFp32 && large ? 1 : shape.blocks;
}

TensorCoreTiles make_tensor_core_tiles(const std::vector<ConvGeometry>& convolutions, TensorCoreType type,
                                       TensorCoreShape shape, int multiprocessors);

// A branch without its operands: x, weights, bias, y and steps are to be filled in.
TensorCoreBranch make_branch(const ConvGeometry& g, TensorCoreType type);
