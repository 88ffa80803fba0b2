// The vectorised parts of the convolution, one copy per instruction set.
#pragma once

#include <cstdint>

#include "conv/atrous_conv.h"
#include "platform/isa.h"

// `length` neighbouring inputs, the first at `source` in channel 0, for as many lanes of a packed row from
// `target` on. Bit i of `inside`: the i-th of them lies in the image, else a zero stands for it.
struct CopyRun {
  int64_t source;
  int32_t target, length;  // a run ends with its tile
  uint64_t inside;
};

// A run of a tile's lanes that are neighbours in an output row.
struct StoreRun {
  int64_t target;
  int32_t lane, length;
};

// Memory to ask for ahead of its use, a little at a time: so much at once would hold up what is needed now.
struct Ahead {
  const float* weights;    // or null: what lies at the weights' offsets from here
  const float *y, *other;  // what lies at the first `count` offsets from each
  const int64_t* offset;
  int64_t count;
};

// A tile's inputs, neighbours in memory for each tap, and the weights of its up to kMostRowTiles row tiles.
struct InPlace {
  static constexpr int kMostTaps = 64, kMostRowTiles = 3;
  const CopyRun* runs;  // of the first tap; the other taps' are `run_step` runs apart
  int64_t run_step, taps;
  const int32_t* weight;  // each tap's k in channel 0
  const float *first_channel, *weights;
  int64_t plane, weights_of_channel, row_tile_step;  // floats from one channel's, or row tile's, to the next
  int64_t row_tiles;
};

// Where the weights, and a tile's input, of each k of a block begin.
struct Offsets {
  const int64_t *weights, *input;
};

// Few outputs: at most so many row tiles; so many positions, whose sums fill the registers; memory is asked
// for so many k early.
constexpr int64_t kFewOutputsRowTiles = 3, kFewOutputsAhead = 112;
constexpr int kFewOutputsPositions = 8;
constexpr int few_outputs_positions(int64_t row_tiles) {
  return row_tiles == 3 ? 4 : row_tiles == 2 ? 6 : kFewOutputsPositions;
}

// What sums that leave out inputs of zero need besides (see conv/zero_inputs.h). Null where there is no such
// way.
struct ZeroKernels {
  bool (*all_finite)(int64_t count, const float* values);
  bool (*any_negative_zero)(int64_t count, const float* values);
  // Of the k for which one of the tile's first `lanes` inputs is not zero: their offsets, in order. Returns
  // how many there are.
  int64_t (*list_nonzero)(int64_t depth, const Offsets& offset, const float* input, int lanes,
                          int64_t* weight_offset, int64_t* input_offset);
};

// Of pairs of neighbouring positions, the k of up to kPart for which not both inputs are zero, in order, and
// these inputs. The room behind them is for whole vectors.
struct PairLists {
  static constexpr int64_t kPart = 128, kRoom = kPart + 8;
  float* values;   // [pair][2][kRoom]
  uint8_t* k;      // [pair][kRoom]
  int32_t* count;  // [pair]
};

// The weights of `row_tiles` row tiles, row_tile_step floats apart, and some k, which begin at these offsets.
struct PanelSource {
  const float* weights;
  int64_t row_tile_step;
  const int64_t* offset;
  int64_t depth;
  int row_tiles;
};

// Sums of pairs, see conv/nonzero_pairs.h; a panel is a copy [k][row] of weights. Null where there are none.
struct PairKernels {
  static constexpr int kPanelTiles = 6;  // at most
  static constexpr int kPairs = 4;       // listed at once
  // Fills the lists of kPairs pairs, neighbours, whose i-th inputs lie at offset[i] from `input`.
  void (*list)(int64_t depth, const int64_t* offset, const float* input, const PairLists& lists);
  void (*copy_panel)(const PanelSource& source, float* panel);
  // sums [pair][2][row] = (first ? 0 : sums) + values * weights, chains of fused multiply-adds. ahead: what
  // is copied next.
  void (*accumulate)(int row_tiles, int64_t pairs, const PairLists& lists, const float* panel,
                     const PanelSource& ahead, bool first, float* sums);
  // Sums [position][row], `step` floats from one position to the next, of a row tile and `lanes` positions,
  // rounded up to whole vectors, to tile [row][tile_lanes].
  void (*transpose_sums)(const float* sums, int64_t step, int lanes, int tile_lanes, float* tile);
};

struct ConvKernels {
  int lanes;  // output positions in a tile, at most 63
  // Copies the runs of `channels` input channels, every `stride`-th float of the source, to packed lanes. The
  // channels are `plane` floats apart, their packed lanes `step`.
  void (*pack)(const CopyRun* runs, int64_t count, const float* first_channel, int64_t plane,
               int64_t channels, int64_t stride, float* packed, int64_t step);
  // The same of rows that taps share (see packed_input.h), each a whole number of vectors if part of it lies
  // beside the image. Null where tiles are packed by tap only: then the i-th input begins at i * lanes.
  void (*pack_rows)(const CopyRun* runs, int64_t count, const float* first_channel, int64_t plane,
                    int64_t channels, float* packed, int64_t step);
  // tile [kConvRows][lanes of a tile] = (first ? 0 : tile) +
  //     sum over i < depth of weights[offset.weights[i] + row] * input[offset.input[i] + lane],
  // for at least the first `lanes` lanes, a single chain of fused multiply-adds in the order of i.
  void (*accumulate)(int64_t depth, const Offsets& offset, const float* weights, const Ahead& ahead,
                     const float* input, int lanes, bool first, float* tile);
  // The same for the k from `begin` to `end` (channel by channel, the taps of each), unpacked, and all row
  // tiles, whose sums are sum_step floats apart. Null where there is no such kernel.
  void (*accumulate_in_place)(const InPlace& in, int64_t begin, int64_t end, int lanes, bool first,
                              float* sums, int64_t sum_step);
  // chain [position][row of the row tiles] = (first ? 0 : chain) + the sum over i < count of weights at
  // offset.weights[i] times what lies offset.input[i] behind the position's input; the offsets go on for
  // kFewOutputsAhead. ahead: weights to ask for early, or null. Null where there is no such kernel.
  void (*accumulate_few_outputs)(int64_t row_tiles, int64_t count, const Offsets& offset,
                                 const float* weights, int64_t row_tile_step, const float* ahead,
                                 const float* const* inputs, bool first, float* chain);
  // Takes the tile's first `rows` rows, of which the first is channel `channel`, through the steps (in
  // place), then writes the runs to y, where channels are `channel_stride` floats apart.
  void (*store)(const float* tile, int rows, const EpilogueStep* steps, int64_t step_count,
                const StoreRun* runs, int64_t run_count, int64_t channel, int64_t channel_stride, float* y);
  ZeroKernels zero;
  PairKernels pairs;
};

DECLARE_PER_ISA(extern const ConvKernels conv_kernels)
