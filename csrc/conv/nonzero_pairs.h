// Convolution that leaves out inputs that are zero in both of two neighbouring positions. The lanes of a
// vector are output channels; each pair's other inputs are listed, and only they meet their weights: those of
// a few row tiles and k at a time, which stay in the nearest cache while all pairs of the task pass by.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"
#include "conv/output_tiles.h"
#include "conv/packed_input.h"
#include "conv/simd/conv_tile.h"

class NonzeroPairs {
 public:
  static bool suits(const ConvGeometry& g, const ConvKernels& kernels);
  // Processor cycles for an input of one position if that share of pairs is not zero.
  static double cycles(const ConvGeometry& g, double nonzero);

  // x: the task's group in image 0; weights: packed, of the task's first row tile.
  NonzeroPairs(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const float* x,
               const float* weights);

  // Floats of memory that run() needs.
  int64_t size() const;
  // Calls store(row tile of the task, tile, sums [kConvRows][lanes]) once all is summed.
  template <typename Store>
  void run(float* memory, const Store& store) {
    use(memory);
    sum();
    for (int64_t t = 0; t < input_.tiles(); ++t) {
      for (int64_t panel = 0; panel < panels_; ++panel) {
        for (int64_t r = panel_begin(panel); r < panel_begin(panel + 1); ++r) {
          transpose(t, panel, r);
          store(r, output_.tiles[t], output_.stores.data(), tile_sums_);
        }
      }
    }
  }

 private:
  // Some k of a block, counted in it.
  struct Part {
    int64_t begin, depth;
  };

  int64_t positions() const { return input_.tiles() * kernels_.lanes; }              // of whole tiles
  int64_t panel_begin(int64_t panel) const { return row_tiles_ * panel / panels_; }  // its first row tile
  int panel_tiles(int64_t panel) const {
    return static_cast<int>(panel_begin(panel + 1) - panel_begin(panel));
  }
  int64_t panel_floats(int64_t panel) const { return panel_tiles(panel) * kConvRows; }  // of a position
  float* panel_sums(int64_t panel) { return sums_ + panel_begin(panel) * kConvRows * positions(); }
  const float* panel_weights(int64_t panel) const { return weights_ + panel_begin(panel) * row_tile_step(); }
  int64_t row_tile_step() const { return g_.depth() * kConvRows; }
  PairLists lists(int64_t part, int64_t pair);
  PanelSource source(int64_t panel, size_t part) const;
  PanelSource after(int64_t panel, size_t part) const;

  void use(float* memory);
  void sum();
  void cut(int64_t depth);
  void list(int64_t part);
  void sum_panel(int64_t panel, float* chains);
  void sum_whole(int64_t panel, int64_t depth, float* chains);
  void transpose(int64_t tile, int64_t panel, int64_t row_tile);

  const ConvGeometry& g_;
  const ConvKernels& kernels_;
  const Region& region_;
  const float* weights_;
  const int64_t row_tiles_, panels_;
  const std::vector<Run> runs_;
  const int64_t used_, pairs_;  // positions of the task
  PackedInput input_;
  const OutputTiles output_;
  std::vector<Part> parts_;  // of the block
  std::vector<int64_t> weight_offset_;
  std::vector<uint8_t> k_;  // of the lists
  std::vector<int32_t> count_;
  float *panel_ = nullptr, *tile_sums_ = nullptr, *values_ = nullptr, *chains_ = nullptr, *sums_ = nullptr;
};
