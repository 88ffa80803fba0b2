// Convolution of few output channels: packing the inputs would cost more than summing them does. The lanes of
// a vector are output channels, and inputs are read where they lie, a number at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/conv_plan.h"
#include "conv/output_tiles.h"
#include "conv/simd/conv_tile.h"

class FewOutputs {
 public:
  // Whether this is the way for such a convolution.
  static bool suits(const ConvGeometry& g, const ConvKernels& kernels);

  // x: the task's group in image 0; weights: packed, of the task's first row tile.
  FewOutputs(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const float* x,
             const float* weights);

  // Floats of memory that run() needs.
  int64_t size() const;
  // Calls store(row tile of the task, tile, sums [kConvRows][lanes]) once all is summed.
  template <typename Store>
  void run(float* memory, const Store& store) {
    const float* sums = sum(memory);
    float* tile_sums = memory;
    for (size_t t = 0; t < output_.tiles.size(); ++t) {
      for (int64_t r = 0; r < row_tiles_; ++r) {
        gather(sums, static_cast<int64_t>(t), r, tile_sums);
        store(r, output_.tiles[t], output_.stores.data(), tile_sums);
      }
    }
  }

 private:
  int64_t row_floats() const { return row_tiles_ * kConvRows; }
  int64_t positions() const { return static_cast<int64_t>(inputs_.size()); }
  int64_t tile_floats() const { return kConvRows * kernels_.lanes; }
  void list_taps();
  void list_inputs(const std::vector<Run>& runs);
  void list_offsets(int64_t begin, int64_t depth);
  float* sum(float* memory);
  void gather(const float* sums, int64_t tile, int64_t row_tile, float* tile_sums) const;

  const ConvGeometry& g_;
  const ConvKernels& kernels_;
  const Region& region_;
  const float *x_, *weights_;
  const int64_t row_tiles_;
  const int group_;  // positions that are summed together
  OutputTiles output_;
  std::vector<const float*> inputs_;  // of the region's first tap, for each position of all groups
  std::vector<int64_t> tap_offset_;   // from there, of the region's taps
  std::vector<int64_t> weight_offset_, input_offset_;
};
