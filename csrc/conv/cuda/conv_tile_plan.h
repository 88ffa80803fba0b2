// How a convolution is cut into tiles for the device: host code, no CUDA in it, so the plan is tested on its
// own.
//
// A tile is some output channels x some output positions of one group. Positions are numbered so that those
// that see the same taps are neighbours (see make_position_tiles), and a tile walks only the taps that at
// least one of its positions sees: padding is skipped by whole tiles.
//
// The reduction of a tile is walked in stages of kStageDepth values of k. A stage never crosses the end of a
// block of the canonical reduction; what is missing to a full stage is filled with zeros, which change no
// sum.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"

namespace device {

constexpr int kStageDepth = 16;

// A tile's size, the threads that work on it, and how many such blocks a multiprocessor holds.
struct TileShape {
  int rows, positions, threads, blocks;
  // Share of the instruction slots that multiply: what is left after loads, addresses and the copies of the
  // next stages. Counted in sm_90's machine code, not measured.
  double density;
};

// The kernels of atrous_conv.cu, in the same order.
constexpr TileShape kTileShapes[] = {
    {128, 128, 256, 2, 0.86}, {128, 64, 128, 4, 0.86}, {64, 128, 128, 4, 0.84},  {64, 64, 64, 8, 0.83},
    {32, 128, 128, 5, 0.74},  {32, 64, 64, 10, 0.75},  {128, 128, 128, 2, 0.90},
};
constexpr int kTileShapeCount = sizeof(kTileShapes) / sizeof(kTileShapes[0]);

// The tables as the device reads them. A stage's first `filled` entries are in use.
struct StageTable {
  // Where k's input lies from that of an output's first tap: in floats, and in rows and columns.
  int32_t offset[kStageDepth], row[kStageDepth], column[kStageDepth];
  int32_t k[kStageDepth];  // row of the packed weights
  int32_t filled, unused[3];
};

// Positions from `first` on are the outputs of these rows and columns, image by image. The table ends with
// one that begins behind the last position.
struct TileRegion {
  int32_t first, row, column, height, width;
};

struct PositionTile {
  int32_t first, count;  // positions
  int32_t region;        // that of the first position
  int32_t stage;         // where its taps' stages begin in the table
  int32_t ends;          // where the ends of its blocks begin
  int32_t checked;       // some tap may lie outside the image for some position
};

struct ConvTilePlan {
  ConvGeometry geometry;
  int shape;       // of kTileShapes
  int blocks;      // of the reduction
  int row_tiles;   // per group
  int row_stride;  // floats between two k of the packed weights
  // Tiles: [position tile][group][row tile]. The first `whole` are a work item each; of the others each block
  // of the reduction is an item of its own, and what is left over after full rounds of the multiprocessors is
  // shared out evenly. Adding the blocks up, in order, is a second kernel's work.
  int64_t tiles_in_all, whole;
  int64_t items;        // work items: whole tiles, then [tile][block]
  int64_t grid;         // thread blocks launched for them
  int64_t whole_slots;  // tiles of working memory for the whole ones; each item of the others has one, too
  int64_t scratch;      // floats of working memory
  std::vector<StageTable> stages;
  std::vector<TileRegion> regions;
  std::vector<PositionTile> tiles;  // those with the longest sums first
  std::vector<int32_t> ends;        // stages before the end of each block, from the tile's first on

  // The tables one behind the other, in the order above, in bytes.
  int64_t table_bytes() const;
  template <class T>
  static int64_t bytes_of(const std::vector<T>& table) {
    return static_cast<int64_t>((table.size() * sizeof(T) + 15) / 16 * 16);
  }
  void write_tables(void* to) const;
};

// Rows of the packed weights: the output channels of a group, in whole 16 bytes.
inline int64_t packed_row_stride(const ConvGeometry& g) { return (g.rows() + 3) / 4 * 4; }

// shape: -1 to choose by the least estimated time on `processors` multiprocessors. split: 0 for whole tiles
// only, 1 for none, 2 for as many whole ones as fill all multiprocessors equally, -1 to choose. Throws
// std::invalid_argument for a shape that there is not, or sizes beyond 32 bits.
ConvTilePlan plan_conv_tiles(const ConvGeometry& g, int processors, int shape, int split);

}  // namespace device
