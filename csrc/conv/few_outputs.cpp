#include "conv/few_outputs.h"

#include <algorithm>

namespace {

// k that are summed for all positions before the next: their weights and inputs stay in the nearest cache.
constexpr int64_t kPart = kFewOutputsAhead;

// Shorter sums do not pay for bringing the outputs in order.
constexpr int64_t kShortest = 256;

constexpr size_t kMostRegions = 64;

}  // namespace

bool FewOutputs::suits(const ConvGeometry& g, const ConvKernels& kernels) {
  if (!kernels.accumulate_few_outputs || g.row_tiles() > kFewOutputsRowTiles || g.taps_first ||
      g.depth() < kShortest) {
    return false;
  }
  // With all cuts made, large kernels on small images would give as many regions as outputs.
  const auto rows = tap_intervals(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.pad_height,
                                  g.dilation_height, g.out_width, 0, 1);
  const auto columns = tap_intervals(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.pad_width,
                                     g.dilation_width, g.out_height, 0, 1);
  return rows.size() * columns.size() <= kMostRegions;
}

FewOutputs::FewOutputs(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const float* x,
                       const float* weights)
    : g_(g),
      kernels_(kernels),
      region_(*task.region),
      x_(x),
      weights_(weights),
      row_tiles_(task.last_tile - task.first_tile),
      group_(few_outputs_positions(row_tiles_)),
      output_(g, make_runs(task, kernels.lanes), kernels.lanes) {
  list_taps();
  list_inputs(make_runs(task, kernels.lanes));
}

void FewOutputs::list_taps() {
  const std::vector<int>&rows = region_.rows.taps, &columns = region_.columns.taps;
  for (int ky : rows) {
    for (int kx : columns) {
      tap_offset_.push_back((ky - rows.front()) * g_.dilation_height * g_.in_width +
                            (kx - columns.front()) * g_.dilation_width);
    }
  }
}

void FewOutputs::list_inputs(const std::vector<Run>& runs) {
  const std::vector<int>&rows = region_.rows.taps, &columns = region_.columns.taps;
  const bool none = rows.empty() || columns.empty();
  for (const Run& run : runs) {
    const int64_t y = none ? 0 : run.y * g_.stride_height - g_.pad_height + rows.front() * g_.dilation_height;
    for (int64_t i = run.x; i < run.x + run.length; ++i) {
      const int64_t x = none ? 0 : i * g_.stride_width - g_.pad_width + columns.front() * g_.dilation_width;
      inputs_.push_back(x_ + run.image * g_.in_channels * g_.in_plane + y * g_.in_width + x);
    }
  }
  while (inputs_.size() % group_ != 0) inputs_.push_back(inputs_.back());  // the last group is a whole one
}

int64_t FewOutputs::size() const { return tile_floats() + 2 * positions() * row_floats(); }

// Of the block's k and the kPart behind: memory is asked for that early.
void FewOutputs::list_offsets(int64_t begin, int64_t depth) {
  weight_offset_.clear();
  input_offset_.clear();
  const int64_t taps = static_cast<int64_t>(tap_offset_.size());
  int64_t tap = begin % taps, channel = begin / taps * g_.in_plane;
  for (int64_t i = 0; i < depth + kPart; ++i) {
    const bool behind = begin + i >= static_cast<int64_t>(region_.k.size());
    weight_offset_.push_back(behind ? 0 : region_.k[begin + i] * kConvRows);
    input_offset_.push_back(behind ? 0 : channel + tap_offset_[tap]);
    if (++tap == taps) tap = 0, channel += g_.in_plane;
  }
}

// The sums [position][row] of all positions, somewhere in `memory`.
float* FewOutputs::sum(float* memory) {
  float* chains = memory + tile_floats();
  float* sums = chains + positions() * row_floats();
  int64_t begin = 0;
  bool first_block = true;
  for (const int64_t end : region_.block_end) {
    if (end > begin) list_offsets(begin, end - begin);
    for (int64_t from = begin; from == begin || from < end; from += kPart) {
      const Offsets offsets{weight_offset_.data() + from - begin, input_offset_.data() + from - begin};
      for (int64_t first = 0; first < positions(); first += group_) {
        // The first groups ask for the next weights, of a row tile each.
        const int64_t row_tile = first / group_, step = g_.depth() * kConvRows;
        const float* ahead = row_tile < row_tiles_ ? weights_ + row_tile * step : nullptr;
        kernels_.accumulate_few_outputs(row_tiles_, std::min(kPart, end - from), offsets, weights_, step,
                                        ahead, inputs_.data() + first, from == begin,
                                        chains + first * row_floats());
      }
    }
    if (first_block) {
      std::swap(chains, sums);
    } else {
      for (int64_t i = 0; i < positions() * row_floats(); ++i) sums[i] += chains[i];
    }
    begin = end;
    first_block = false;
  }
  return sums;
}

void FewOutputs::gather(const float* sums, int64_t tile, int64_t row_tile, float* tile_sums) const {
  const int lanes = output_.tiles[tile].lanes;
  const float* from = sums + tile * kernels_.lanes * row_floats() + row_tile * kConvRows;
  for (int lane = 0; lane < lanes; ++lane, from += row_floats()) {
    for (int r = 0; r < kConvRows; ++r) tile_sums[r * kernels_.lanes + lane] = from[r];
  }
}
