#include "conv/packed_input.h"

#include <algorithm>

namespace {

constexpr int64_t kWholeVectors = 8;  // rows are a multiple of that many floats: no vector is cut

// Bit i: the i-th of `length` neighbours, the first at column x of the input's row y, lies in the image.
uint64_t inside(const ConvGeometry& g, int64_t y, int64_t x, int64_t length) {
  if (y < 0 || y >= g.in_height) return 0;
  const int64_t begin = std::min<int64_t>(length, x < 0 ? divide_up(-x, g.stride_width) : 0);
  const int64_t end = std::min<int64_t>(length, divide_up(g.in_width - x, g.stride_width));
  return (uint64_t{1} << std::max(begin, end)) - (uint64_t{1} << begin);  // both are less than 64
}

int64_t source(const ConvGeometry& g, const Run& run, int64_t y, int64_t x) {
  return run.image * g.in_channels * g.in_plane + y * g.in_width + x;
}

}  // namespace

PackedInput::PackedInput(const ConvGeometry& g, const ConvKernels& kernels, const Region& region,
                         const std::vector<Run>& runs, const float* x)
    : g_(g), kernels_(kernels), region_(region), x_(x) {
  int64_t begin = 0;
  for (const int64_t end : region.block_end) {
    deepest_ = std::max(deepest_, end - begin);
    begin = end;
  }
  tile_size_ = deepest_ * kernels.lanes;
  choose(runs);
  for (int64_t ky : region.rows.taps) {
    for (const Run& run : runs) {
      if (by_row_[tile_of(run)]) copy_row(run, ky);
    }
    for (int64_t kx : region.columns.taps) {
      for (const Run& run : runs) {
        if (!by_row_[tile_of(run)]) copy_tap(run, ky, kx);
      }
      copies_end_.push_back(static_cast<int64_t>(copies_.size()));
    }
  }
  for (int64_t i = 0; i < deepest_; ++i) tap_offset_.push_back(i * kernels.lanes);
  row_offset_.resize(deepest_);
}

// By row where that is possible and at most three quarters of the memory.
void PackedInput::choose(const std::vector<Run>& runs) {
  std::vector<int> runs_of_tile(runs.empty() ? 0 : tile_of(runs.back()) + 1);
  for (const Run& run : runs) ++runs_of_tile[tile_of(run)];
  const std::vector<int>& columns = region_.columns.taps;
  const int64_t rows = static_cast<int64_t>(region_.rows.taps.size());
  const int64_t count = static_cast<int64_t>(columns.size());
  const int64_t reach = columns.empty() ? 0 : (columns.back() - columns.front()) * g_.dilation_width;
  row_size_ = divide_up(kernels_.lanes + reach, kWholeVectors) * kWholeVectors;
  const bool possible = kernels_.pack_rows && g_.stride_width == 1 && !g_.taps_first && row_size_ < 64;
  const bool worth = possible && rows > 0 && 4 * row_size_ <= 3 * count * kernels_.lanes;
  for (const int number : runs_of_tile) by_row_.push_back(worth && number == 1);
  if (!worth) return;
  // A block may begin and end within a channel.
  const int64_t channels = (deepest_ + rows * count - 2) / (rows * count) + 1;
  tile_size_ = std::max(tile_size_, channels * rows * row_size_);
}

void PackedInput::copy_tap(const Run& run, int64_t ky, int64_t kx) {
  const int lane = run.position % kernels_.lanes;
  const auto target = static_cast<int32_t>(tile_of(run) * tile_size_ + lane);
  const int64_t y = run.y * g_.stride_height - g_.pad_height + ky * g_.dilation_height;
  const int64_t x = run.x * g_.stride_width - g_.pad_width + kx * g_.dilation_width;
  const uint64_t lies_inside = inside(g_, y, x, run.length);
  const int64_t from = source(g_, run, y, x);
  if (lane > 0 && g_.stride_width == 1) {
    // The next image row's may follow in memory, those beside the image in between.
    CopyRun& last = copies_.back();
    if (last.source + last.length == from) {
      last.inside |= lies_inside << last.length;
      last.length += run.length;
      return;
    }
  }
  copies_.push_back({from, target, run.length, lies_inside});
}

void PackedInput::copy_row(const Run& run, int64_t ky) {
  const std::vector<int>& columns = region_.columns.taps;
  const int64_t reach = (columns.back() - columns.front()) * g_.dilation_width;
  const int64_t y = run.y * g_.stride_height - g_.pad_height + ky * g_.dilation_height;
  const int64_t x = run.x - g_.pad_width + columns.front() * g_.dilation_width;
  const int64_t length = run.length + reach;
  const uint64_t lies_inside = inside(g_, y, x, length);
  const bool whole = lies_inside == (uint64_t{1} << length) - 1;
  row_copies_.push_back({source(g_, run, y, x), static_cast<int32_t>(tile_of(run) * tile_size_),
                         static_cast<int32_t>(whole ? length : row_size_), lies_inside});
}

void PackedInput::prepare(int64_t begin, int64_t depth) {
  if (depth == 0) return;
  const int64_t channels = g_.channels();
  if (g_.taps_first) {
    pack_tap(taps() - 1 - begin / channels, begin % channels, depth, 0, 1);
    return;
  }
  for (int64_t i = 0; i < std::min(depth, taps()); ++i) {
    pack_tap((begin + i) % taps(), (begin + i) / taps(), divide_up(depth - i, taps()), i, taps());
  }
  if (!row_copies_.empty()) pack_rows(begin, depth);
}

// One tap of `count` channels, packed as every step-th input of the block from number `i` on.
void PackedInput::pack_tap(int64_t tap, int64_t first_channel, int64_t count, int64_t i, int64_t step) {
  const int64_t from = tap == 0 ? 0 : copies_end_[tap - 1];
  kernels_.pack(copies_.data() + from, copies_end_[tap] - from, x_ + first_channel * g_.in_plane, g_.in_plane,
                count, g_.stride_width, memory_ + i * kernels_.lanes, step * kernels_.lanes);
}

void PackedInput::pack_rows(int64_t begin, int64_t depth) {
  const std::vector<int>& columns = region_.columns.taps;
  const int64_t rows = static_cast<int64_t>(region_.rows.taps.size());
  const int64_t first = begin / taps(), count = (begin + depth - 1) / taps() - first + 1;
  const int64_t runs = static_cast<int64_t>(row_copies_.size()) / rows;
  for (int64_t row = 0; row < rows; ++row) {
    kernels_.pack_rows(row_copies_.data() + row * runs, runs, x_ + first * g_.in_plane, g_.in_plane, count,
                       memory_ + row * row_size_, rows * row_size_);
  }
  for (int64_t i = 0; i < depth; ++i) {
    const int64_t tap = (begin + i) % taps(), channel = (begin + i) / taps() - first;
    const int64_t width = static_cast<int64_t>(columns.size()), row = tap / width;
    const int64_t reach = (columns[tap % width] - columns.front()) * g_.dilation_width;
    row_offset_[i] = (channel * rows + row) * row_size_ + reach;
  }
}

const std::vector<CopyRun>* PackedInput::one_run_each() const {
  const bool one = taps() > 0 && static_cast<int64_t>(copies_.size()) == taps() * tiles();
  return one ? &copies_ : nullptr;
}
