#include "conv/nonzero_pairs.h"

#include <algorithm>

#include "conv/zero_inputs.h"

namespace {

// Processor cycles for an input of one position (AMD's Zen 3): for the lists; for a row tile, of any input
// and of one that is not zero, where a panel takes as long as one of kBusy row tiles; and for an output of a
// row tile.
constexpr double kLists = 2.1, kAny = 0.07, kNonzero = 0.555, kBusy = 4, kOutput = 20;

constexpr int64_t kPanelTiles = PairKernels::kPanelTiles, kWidest = kPanelTiles * kConvRows;

int64_t part_count(int64_t depth) { return std::max<int64_t>(1, divide_up(depth, PairLists::kPart)); }

int64_t panel_count(int64_t row_tiles) { return divide_up(row_tiles, kPanelTiles); }

}  // namespace

bool NonzeroPairs::suits(const ConvGeometry& g, const ConvKernels& kernels) {
  return kernels.pairs.list && !g.taps_first;
}

double NonzeroPairs::cycles(const ConvGeometry& g, double nonzero) {
  const auto row_tiles = static_cast<double>(g.row_tiles());
  const double busy = std::max(row_tiles, kBusy * static_cast<double>(panel_count(g.row_tiles())));
  const double outputs = kOutput * row_tiles / static_cast<double>(g.depth());
  return kLists + kAny * row_tiles + kNonzero * nonzero * busy + outputs;
}

NonzeroPairs::NonzeroPairs(const ConvGeometry& g, const ConvKernels& kernels, const Task& task,
                           const float* x, const float* weights)
    : g_(g),
      kernels_(kernels),
      region_(*task.region),
      weights_(weights),
      row_tiles_(task.last_tile - task.first_tile),
      panels_(panel_count(row_tiles_)),
      runs_(make_runs(task, kernels.lanes)),
      used_(task.last - task.first),
      pairs_(divide_up(used_, 2)),
      input_(g, kernels, region_, runs_, x),
      output_(g, runs_, kernels.lanes) {
  const int64_t parts = part_count(input_.deepest());
  count_.resize(parts * positions() / 2);
  k_.resize(count_.size() * PairLists::kRoom);
}

int64_t NonzeroPairs::size() const {
  return PairLists::kPart * kWidest + kConvRows * kernels_.lanes + 2 * static_cast<int64_t>(k_.size()) +
         positions() * (kWidest + row_tiles_ * kConvRows) + input_.size();
}

void NonzeroPairs::use(float* memory) {
  panel_ = memory;  // first: its vectors shall not cross cache lines
  tile_sums_ = panel_ + PairLists::kPart * kWidest;
  values_ = tile_sums_ + kConvRows * kernels_.lanes;
  chains_ = values_ + 2 * k_.size();
  sums_ = chains_ + positions() * kWidest;
  input_.use(sums_ + positions() * row_tiles_ * kConvRows);
}

PairLists NonzeroPairs::lists(int64_t part, int64_t pair) {
  const int64_t number = part * positions() / 2 + pair, at = number * PairLists::kRoom;
  return {values_ + 2 * at, k_.data() + at, count_.data() + number};
}

// Sums the blocks one after the other.
void NonzeroPairs::sum() {
  for (size_t b = 0; b < region_.block_end.size(); ++b) {
    const int64_t begin = b == 0 ? 0 : region_.block_end[b - 1], end = region_.block_end[b];
    const int64_t depth = end - begin;
    input_.prepare(begin, depth);
    weight_offset_.clear();
    for (int64_t i = begin; i < end; ++i) weight_offset_.push_back(region_.k[i] * kConvRows);
    cut(depth);
    for (size_t part = 0; part < parts_.size(); ++part) list(static_cast<int64_t>(part));
    for (int64_t panel = 0; panel < panels_; ++panel) {
      float *sums = panel_sums(panel), *chains = b == 0 ? sums : chains_;
      const int64_t count = used_ * panel_floats(panel);
      sum_panel(panel, chains);
      if (kernels_.zero.any_negative_zero(count, chains)) sum_whole(panel, depth, chains);
      if (b == 0) continue;
      for (int64_t i = 0; i < count; ++i) sums[i] += chains[i];
    }
  }
}

// Cuts a block into parts of about the same depth.
void NonzeroPairs::cut(int64_t depth) {
  const int64_t count = part_count(depth);
  parts_.clear();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = depth * i / count;
    parts_.push_back({begin, depth * (i + 1) / count - begin});
  }
}

void NonzeroPairs::list(int64_t part) {
  const Part& p = parts_[part];
  for (int64_t t = 0; t < input_.tiles(); ++t) {
    for (int lane = 0; lane < output_.tiles[t].lanes; lane += 2 * PairKernels::kPairs) {
      kernels_.pairs.list(p.depth, input_.offsets(t) + p.begin, input_.input(t) + lane,
                          lists(part, (t * kernels_.lanes + lane) / 2));
    }
  }
}

PanelSource NonzeroPairs::source(int64_t panel, size_t part) const {
  return {panel_weights(panel), row_tile_step(), weight_offset_.data() + parts_[part].begin,
          parts_[part].depth, panel_tiles(panel)};
}

// What follows: the panel's next part, or the next panel's first; nothing behind the last.
PanelSource NonzeroPairs::after(int64_t panel, size_t part) const {
  if (part + 1 < parts_.size()) return source(panel, part + 1);
  if (panel + 1 < panels_) return source(panel + 1, 0);
  return {};
}

// The block's chains [position][row] of a panel.
void NonzeroPairs::sum_panel(int64_t panel, float* chains) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    kernels_.pairs.copy_panel(source(panel, i), panel_);
    kernels_.pairs.accumulate(panel_tiles(panel), pairs_, lists(static_cast<int64_t>(i), 0), panel_,
                              after(panel, i), i == 0, chains);
  }
}

// Again, those that are -0.
void NonzeroPairs::sum_whole(int64_t panel, int64_t depth, float* chains) {
  const int64_t floats = panel_floats(panel);
  for (int64_t p = 0; p < used_; ++p) {
    const int64_t tile = p / kernels_.lanes;
    const Offsets offsets{weight_offset_.data(), input_.offsets(tile)};
    for (int t = 0; t < panel_tiles(panel); ++t) {
      sum_negative_zeros(depth, offsets, panel_weights(panel) + t * row_tile_step(),
                         input_.input(tile) + p % kernels_.lanes, kConvRows, 1, 1, 0, true,
                         chains + p * floats + t * kConvRows);
    }
  }
}

void NonzeroPairs::transpose(int64_t tile, int64_t panel, int64_t row_tile) {
  const int64_t floats = panel_floats(panel);
  const float* sums =
      panel_sums(panel) + tile * kernels_.lanes * floats + (row_tile - panel_begin(panel)) * kConvRows;
  kernels_.pairs.transpose_sums(sums, floats, output_.tiles[tile].lanes, kernels_.lanes, tile_sums_);
}
