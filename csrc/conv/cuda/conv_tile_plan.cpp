#include "conv/cuda/conv_tile_plan.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>

namespace device {

namespace {

constexpr int64_t kInt32 = 0x7fffffff;
// A tile's partial sums are kept between the blocks of its reduction: for every tile while they take no more
// than this, else for each thread block, which then works through several tiles.
constexpr int64_t kTileScratchBytes = int64_t{64} << 20;
// A reduction is split of its own accord only while its blocks' sums take no more than this.
constexpr int64_t kSplitScratchBytes = int64_t{128} << 20;

// An interval of one axis and whether every output in it sees all of its taps.
struct Interval {
  TapInterval taps;
  bool pure;
};

std::vector<Interval> intervals(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                                int64_t dilation, int64_t extent, int64_t worth) {
  std::vector<Interval> result;
  for (TapInterval& t : tap_intervals(in, out, kernel, stride, pad, dilation, extent, worth, 1)) {
    const auto sees_all = [&](int64_t o) {
      return std::all_of(t.taps.begin(), t.taps.end(), [&](int k) {
        const int64_t i = o * stride - pad + k * dilation;
        return i >= 0 && i < in;
      });
    };
    bool pure = true;
    for (int64_t o = t.begin; pure && o < t.end; ++o) pure = sees_all(o);
    result.push_back({std::move(t), pure});
  }
  return result;
}

// A region with its taps of one channel, ascending.
struct TapRegion {
  TileRegion place;
  std::vector<int> taps;
  bool pure;

  int64_t positions(int64_t batch) const { return batch * place.height * place.width; }
};

std::vector<int> join(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> both;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

// The regions in an order in which neighbours share most of their taps: a tile that reaches into the next
// region then walks few taps in vain.
std::vector<TapRegion> order_regions(std::vector<TapRegion> rest) {
  std::vector<TapRegion> ordered;
  while (!rest.empty()) {
    size_t best = 0, least = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
      const size_t size = ordered.empty() ? 0 : join(ordered.back().taps, rest[i].taps).size();
      const bool more_taps = rest[i].taps.size() > rest[best].taps.size();
      if (i == 0 || size < least || (size == least && more_taps)) {
        best = i;
        least = size;
      }
    }
    ordered.push_back(std::move(rest[best]));
    rest.erase(rest.begin() + best);
  }
  return ordered;
}

std::vector<TapRegion> tap_regions(const ConvGeometry& g, int tile_positions) {
  const int64_t worth = tile_positions / 2;
  const auto rows = intervals(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.pad_height,
                              g.dilation_height, g.out_width * g.batch, worth);
  const auto columns = intervals(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.pad_width,
                                 g.dilation_width, g.out_height * g.batch, worth);
  std::vector<TapRegion> regions;
  for (const Interval& r : rows) {
    for (const Interval& c : columns) {
      const auto begin_row = static_cast<int32_t>(r.taps.begin);
      const auto begin_column = static_cast<int32_t>(c.taps.begin);
      TapRegion region{{0, begin_row, begin_column, static_cast<int32_t>(r.taps.end - r.taps.begin),
                        static_cast<int32_t>(c.taps.end - c.taps.begin)},
                       {},
                       r.pure && c.pure};
      for (int ky : r.taps.taps) {
        for (int kx : c.taps.taps) region.taps.push_back(static_cast<int>(ky * g.kernel_width + kx));
      }
      regions.push_back(std::move(region));
    }
  }
  regions = order_regions(std::move(regions));
  int64_t first = 0;
  for (TapRegion& r : regions) {
    r.place.first = static_cast<int32_t>(first);
    first += r.positions(g.batch);
  }
  return regions;
}

// A tile of positions before its table is made.
struct TapTile {
  PositionTile tile;
  std::vector<int> taps;
};

std::vector<TapTile> position_tiles(const ConvGeometry& g, const std::vector<TapRegion>& regions,
                                    int tile_positions) {
  const int64_t total = g.batch * g.out_height * g.out_width;
  std::vector<TapTile> tiles;
  size_t region = 0;
  for (int64_t first = 0; first < total; first += tile_positions) {
    const int64_t end = std::min<int64_t>(total, first + tile_positions);
    while (regions[region].place.first + regions[region].positions(g.batch) <= first) ++region;
    TapTile t{{static_cast<int32_t>(first), static_cast<int32_t>(end - first), static_cast<int32_t>(region),
               0, 0, 0},
              {}};
    for (size_t r = region; r < regions.size() && regions[r].place.first < end; ++r) {
      t.taps = join(t.taps, regions[r].taps);
    }
    for (size_t r = region; r < regions.size() && regions[r].place.first < end; ++r) {
      if (!regions[r].pure || regions[r].taps.size() != t.taps.size()) t.tile.checked = 1;
    }
    tiles.push_back(std::move(t));
  }
  std::stable_sort(tiles.begin(), tiles.end(),
                   [](const TapTile& a, const TapTile& b) { return a.taps.size() > b.taps.size(); });
  return tiles;
}

// Appends the stages of one set of taps, and where each block of the reduction ends in them.
void append_stages(const ConvGeometry& g, const std::vector<int>& taps, std::vector<StageTable>* stages,
                   std::vector<int32_t>* ends) {
  const int64_t in_area = g.in_height * g.in_width, channels = g.in_channels / g.groups;
  const int64_t first_stage = static_cast<int64_t>(stages->size());
  size_t tap = 0;
  int64_t channel = 0;
  for (int64_t begin = 0; begin < g.depth();) {
    const int64_t end = begin + reduction_block(g.depth() - begin);
    bool full = true;
    while (channel < channels && !taps.empty() && channel * g.taps() + taps[tap] < end) {
      if (full) stages->push_back({});
      StageTable& stage = stages->back();
      const int64_t row = taps[tap] / g.kernel_width * g.dilation_height;
      const int64_t column = taps[tap] % g.kernel_width * g.dilation_width;
      const int i = stage.filled++;
      stage.offset[i] = static_cast<int32_t>(channel * in_area + row * g.in_width + column);
      stage.row[i] = static_cast<int32_t>(row);
      stage.column[i] = static_cast<int32_t>(column);
      stage.k[i] = static_cast<int32_t>(channel * g.taps() + taps[tap]);
      full = stage.filled == kStageDepth;
      if (++tap == taps.size()) {
        tap = 0;
        ++channel;
      }
    }
    ends->push_back(static_cast<int32_t>(static_cast<int64_t>(stages->size()) - first_stage));
    begin = end;
  }
}

int block_count(const ConvGeometry& g) {
  int blocks = 0;
  for (int64_t begin = 0; begin < g.depth(); ++blocks) begin += reduction_block(g.depth() - begin);
  return blocks;
}

// How the tiles of one shape are shared out.
struct Shares {
  int64_t tiles, whole;
};

// Estimated cycles of a convolution: the multiprocessor with the most work, each giving its work items 128
// multiply-adds a cycle times the shape's density, less where too few thread blocks share it to hide
// latencies; the blocks' sums that go through memory.
double estimated_cycles(const ConvGeometry& g, const TileShape& s, const std::vector<TapTile>& tiles,
                        int blocks, const Shares& shares, int processors) {
  constexpr double kStart = 2500;        // cycles until a tile's first product, and for its outputs
  constexpr double kBytesPerCycle = 24;  // of memory, for each multiprocessor
  double depth = 0;
  for (const TapTile& t : tiles) depth += static_cast<double>(t.taps.size() * (g.in_channels / g.groups));
  const double outputs = static_cast<double>(s.rows) * s.positions;
  const double products = depth / static_cast<double>(tiles.size()) * outputs;
  const int64_t split_items = (shares.tiles - shares.whole) * blocks;
  const auto whole_rounds = static_cast<double>(divide_up(shares.whole, processors));
  const auto split_rounds = static_cast<double>(divide_up(split_items, processors));
  // While so many of its thread blocks are at work a multiprocessor has that share of its speed: with 16
  // warps the arithmetic is kept busy.
  const auto busy = [&](double blocks_at_work) {
    const double warps = std::min<double>(blocks_at_work, s.blocks) * s.threads / 32;
    return s.density * std::min(1.0, (warps + 4) / 20);
  };
  double cycles = shares.whole > 0 ? whole_rounds * products / 128 / busy(whole_rounds) : 0;
  if (split_items > 0) cycles += split_rounds / blocks * products / 128 / busy(whole_rounds + split_rounds);
  cycles += (whole_rounds + split_rounds) / s.blocks * kStart;
  if (split_items > 0) {
    cycles += static_cast<double>(split_items) * outputs * 8 / (kBytesPerCycle * processors) + kStart;
  }
  return cycles;
}

void check_sizes(const ConvGeometry& g) {
  const int64_t channels = g.in_channels / g.groups, in_area = g.in_height * g.in_width;
  const int64_t reach = (g.kernel_height - 1) * g.dilation_height,
                wide = (g.kernel_width - 1) * g.dilation_width;
  // The farthest tap that an output sees.
  const int64_t row = std::min(reach, g.in_height + g.pad_height),
                column = std::min(wide, g.in_width + g.pad_width);
  const int64_t farthest = (channels - 1) * in_area + row * g.in_width + column;
  if (g.batch * g.out_height * g.out_width > kInt32 - 256 || g.depth() > kInt32 - kStageDepth ||
      (channels + 1) * in_area > kInt32 || farthest > kInt32 || reach > kInt32 || wide > kInt32 ||
      g.pad_height > kInt32 / 2 || g.pad_width > kInt32 / 2) {
    throw std::invalid_argument("atrous_conv: too large for the device's 32-bit positions");
  }
}

}  // namespace

int64_t ConvTilePlan::table_bytes() const {
  return bytes_of(stages) + bytes_of(regions) + bytes_of(tiles) + bytes_of(ends);
}

void ConvTilePlan::write_tables(void* to) const {
  char* target = static_cast<char*>(to);
  const auto append = [&](const auto& v) {
    if (!v.empty()) std::memcpy(target, v.data(), v.size() * sizeof(v[0]));
    target += bytes_of(v);
  };
  append(stages);
  append(regions);
  append(tiles);
  append(ends);
}

ConvTilePlan plan_conv_tiles(const ConvGeometry& g, int processors, int shape, int split) {
  if (shape < -1 || shape >= kTileShapeCount) throw std::invalid_argument("atrous_conv: no such tile shape");
  check_sizes(g);
  ConvTilePlan plan{};
  plan.geometry = g;
  plan.blocks = block_count(g);
  plan.row_stride = static_cast<int>(packed_row_stride(g));

  std::map<int, std::vector<TapRegion>> regions;  // by the positions of a tile
  std::map<int, std::vector<TapTile>> tiles;
  double least = -1;
  for (int i = 0; i < kTileShapeCount; ++i) {
    if (shape >= 0 && i != shape) continue;
    const TileShape& s = kTileShapes[i];
    if (!tiles.count(s.positions)) {
      regions[s.positions] = tap_regions(g, s.positions);
      tiles[s.positions] = position_tiles(g, regions[s.positions], s.positions);
    }
    const int64_t all =
        static_cast<int64_t>(tiles[s.positions].size()) * g.groups * divide_up(g.rows(), s.rows);
    const int64_t ways[] = {all, 0, all / processors * processors};
    for (int way = 0; way < 3; ++way) {
      if (split >= 0 ? way != split : way > 0 && plan.blocks == 1) continue;
      const int64_t whole = ways[way];
      // Of its own accord no plan takes too much memory.
      const int64_t sums = (all - whole) * plan.blocks * s.rows * s.positions * 4;
      if (split < 0 && sums > kSplitScratchBytes) continue;
      const double cycles = estimated_cycles(g, s, tiles[s.positions], plan.blocks, {all, whole}, processors);
      if (least < 0 || cycles < least) {
        least = cycles;
        plan.shape = i;
        plan.tiles_in_all = all;
        plan.whole = whole;
      }
    }
  }
  const TileShape& s = kTileShapes[plan.shape];
  for (const TapRegion& r : regions[s.positions]) plan.regions.push_back(r.place);
  plan.regions.push_back({static_cast<int32_t>(g.batch * g.out_height * g.out_width), 0, 0, 1, 1});
  std::map<std::vector<int>, std::pair<int32_t, int32_t>> tables;
  for (TapTile& t : tiles[s.positions]) {
    auto known = tables.find(t.taps);
    if (known == tables.end()) {
      const std::pair<int32_t, int32_t> start{static_cast<int32_t>(plan.stages.size()),
                                              static_cast<int32_t>(plan.ends.size())};
      append_stages(g, t.taps, &plan.stages, &plan.ends);
      known = tables.emplace(t.taps, start).first;
    }
    t.tile.stage = known->second.first;
    t.tile.ends = known->second.second;
    plan.tiles.push_back(t.tile);
  }
  plan.row_tiles = static_cast<int>(divide_up(g.rows(), s.rows));
  const int64_t split_items = (plan.tiles_in_all - plan.whole) * plan.blocks;
  plan.items = plan.whole + split_items;
  if (plan.items > kInt32) throw std::invalid_argument("atrous_conv: too many tiles for one launch");
  plan.grid = plan.items;
  const int64_t tile_floats = int64_t{s.rows} * s.positions;
  if (plan.blocks > 1) {
    if (plan.whole * tile_floats * 4 > kTileScratchBytes) {
      plan.grid = std::min<int64_t>(plan.items, int64_t{processors} * s.blocks);
    }
    plan.whole_slots = std::min(plan.whole, plan.grid);
  }
  plan.scratch = (plan.whole_slots + split_items) * tile_floats;
  return plan;
}

}  // namespace device
