// The inputs that a task's tiles read, brought together block by block of the reduction.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"
#include "conv/simd/conv_tile.h"

// Of each tile of a task, either
//   by tap:  [k of the block][lanes], what a lane reads for a tap where another tap's stand, too;
//   by row:  [channel][kernel row][lanes and how far the taps reach], which the taps of a kernel row share:
//            a third of the copies and of the memory for 3 x 3 taps. For tiles that do not cross a row.
class PackedInput {
 public:
  // x: the task's group in image 0.
  PackedInput(const ConvGeometry& g, const ConvKernels& kernels, const Region& region,
              const std::vector<Run>& runs, const float* x);

  int64_t tiles() const { return static_cast<int64_t>(by_row_.size()); }
  int64_t deepest() const { return deepest_; }  // the longest block's
  // Floats of memory that all tiles need.
  int64_t size() const { return tiles() * tile_size_; }
  void use(float* memory) { memory_ = memory; }

  // Packs the block of `depth` k from `begin` on, counted in the region.
  void prepare(int64_t begin, int64_t depth);
  const float* input(int64_t tile) const { return memory_ + tile * tile_size_; }
  // Where the tile's input of each k of the block begins.
  const int64_t* offsets(int64_t tile) const { return (by_row_[tile] ? row_offset_ : tap_offset_).data(); }

  // Each tap's copies, if every tile has one run for each tap and is packed by tap; else nothing.
  const std::vector<CopyRun>* one_run_each() const;

 private:
  int64_t taps() const { return static_cast<int64_t>(copies_end_.size()); }
  int64_t tile_of(const Run& run) const { return run.position / kernels_.lanes; }
  void choose(const std::vector<Run>& runs);
  void copy_tap(const Run& run, int64_t ky, int64_t kx);
  void copy_row(const Run& run, int64_t ky);
  void pack_tap(int64_t tap, int64_t first_channel, int64_t count, int64_t i, int64_t step);
  void pack_rows(int64_t begin, int64_t depth);

  const ConvGeometry& g_;
  const ConvKernels& kernels_;
  const Region& region_;
  const float* x_;
  float* memory_ = nullptr;
  int64_t deepest_ = 0, tile_size_ = 0, row_size_ = 0;
  std::vector<bool> by_row_;
  std::vector<CopyRun> copies_;      // by tap, of one channel; the targets are those of i = 0 of a block
  std::vector<int64_t> copies_end_;  // where each tap's copies end
  std::vector<CopyRun> row_copies_;  // by row, of one channel: kernel row by kernel row
  std::vector<int64_t> tap_offset_, row_offset_;
};
