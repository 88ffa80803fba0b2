#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <queue>
#include <stdexcept>

#include "conv/tensor_core.h"

namespace {

using TapList = std::vector<int32_t>;  // row << 16 | column, ascending

struct TappedRegion {
  TensorCoreRegion region;
  TapList taps;
};

// Regions in an order in which neighbours share most taps: along the rows, there and back.
std::vector<TappedRegion> ordered_regions(const ConvGeometry& g, bool skip, int tile_rows) {
  const auto cut = [&](int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation,
                       int64_t extent) {
    if (skip) return tap_intervals(in, out, kernel, stride, pad, dilation, extent, tile_rows / 2, 1);
    std::vector<int> all(kernel);
    for (int i = 0; i < kernel; ++i) all[i] = i;
    return std::vector<TapInterval>{{0, out, all}};
  };
  const auto rows = cut(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.pad_height,
                        g.dilation_height, g.out_width * g.batch);
  const auto columns = cut(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.pad_width,
                           g.dilation_width, g.out_height * g.batch);
  std::vector<TappedRegion> regions;
  int64_t begin = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < columns.size(); ++j) {
      const TapInterval &r = rows[i], &c = columns[i % 2 ? columns.size() - 1 - j : j];
      const auto number = [](int64_t n) { return static_cast<int32_t>(n); };
      TappedRegion next{
          {number(begin), number(r.begin), number(c.begin), number(r.end - r.begin), number(c.end - c.begin)},
          {}};
      for (int ky : r.taps) {
        for (int kx : c.taps) next.taps.push_back(ky << 16 | kx);
      }
      begin += g.batch * (r.end - r.begin) * (c.end - c.begin);
      regions.push_back(std::move(next));
    }
  }
  return regions;
}

void check_sizes(const ConvGeometry& g, const ChunkLayout& layout) {
  constexpr int64_t kShort = std::numeric_limits<int16_t>::max(), kInt = std::numeric_limits<int32_t>::max();
  const int64_t pixels = g.batch * std::max(g.in_height * g.in_width, g.out_height * g.out_width);
  const int64_t reach = std::max({g.in_height + 2 * g.pad_height, g.in_width + 2 * g.pad_width,
                                  g.kernel_height * g.dilation_height, g.kernel_width * g.dilation_width});
  if (reach > kShort || pixels * g.groups * layout.units > kInt / 2 || g.taps() * layout.units > kInt / 2) {
    throw std::invalid_argument("tensor_core_conv: the tensors are too large");
  }
}

// Estimated cycles of an H200's SM, by its datasheet: 128 x 64 bytes of products a cycle. Guesses: 32 bytes a
// cycle from the L2 cache, and that mma.sync reaches 0.6 of wgmma's rate.
double item_cycles(TensorCoreType type, TensorCoreShape shape, int32_t columns, int32_t chunks) {
  const bool split = type == TensorCoreType::kFp32;
  const double products = shape.rows * shape.columns / 32.0 * (split ? 3 : 1) / (shape.wgmma ? 1.0 : 0.6);
  const double weights = columns * (split ? 2.0 : 1.0) / shape.cluster;
  const double bytes = (shape.rows + weights) * kChunkBytes;
  return std::max(products, bytes / 32) * chunks + 600 + shape.rows * shape.columns / 16.0;
}

// All regions, tap lists and items of a launch, as they grow.
class TableBuilder {
 public:
  TableBuilder(int tile_rows, int tile_columns) : tile_rows_(tile_rows), tile_columns_(tile_columns) {}

  void add(int32_t branch, const ConvGeometry& g, int channels_per_unit) {
    const ChunkLayout layout = chunk_layout(g, channels_per_unit);
    check_sizes(g, layout);
    channels_.push_back(static_cast<int32_t>(g.rows()));
    const auto regions = ordered_regions(g, layout.aligned, tile_rows_);
    const auto positions = static_cast<int32_t>(g.batch * g.out_height * g.out_width);
    const auto first_region = static_cast<int32_t>(regions_.size());
    for (const TappedRegion& r : regions) regions_.push_back(r.region);
    regions_.push_back({positions, 0, 0, 1, 1});
    size_t r = 0;
    for (int32_t position = 0; position < positions; position += tile_rows_) {
      while (regions_[first_region + r + 1].begin <= position) ++r;
      TapList taps = regions[r].taps;
      for (size_t i = r + 1; i < regions.size() && regions[i].region.begin < position + tile_rows_; ++i) {
        TapList both;
        std::set_union(taps.begin(), taps.end(), regions[i].taps.begin(), regions[i].taps.end(),
                       std::back_inserter(both));
        taps = std::move(both);
      }
      const auto count = static_cast<int32_t>(taps.size());
      const int32_t chunks = layout.aligned ? count * layout.period_chunks : layout.chunks;
      const int32_t taps_at = place(taps);
      for (int32_t group = 0; group < g.groups; ++group) {
        for (int32_t channel = 0; channel < g.rows(); channel += tile_columns_) {
          items_.push_back({branch, group, position, first_region + static_cast<int32_t>(r), channel, taps_at,
                            count, chunks});
        }
      }
    }
  }

  TensorCoreTiles finish(TensorCoreType type, TensorCoreShape shape, int multiprocessors) {
    std::stable_sort(items_.begin(), items_.end(),
                     [](const TensorCoreItem& a, const TensorCoreItem& b) { return a.chunks > b.chunks; });
    TensorCoreTiles tiles;
    const auto queues = share_out(type, shape, multiprocessors, &tiles.longest);
    const auto append = [&](const auto& numbers) {
      const auto* begin = reinterpret_cast<const int32_t*>(numbers.data());
      const size_t at = tiles.table.size(), size = sizeof(numbers[0]) / sizeof(int32_t) * numbers.size();
      tiles.table.insert(tiles.table.end(), begin, begin + size);
      return static_cast<int32_t>(at);
    };
    append(items_);
    tiles.items = static_cast<int32_t>(items_.size());
    tiles.regions_at = append(regions_);
    tiles.taps_at = append(taps_);
    tiles.queues_at = append(queues);
    tiles.queues = static_cast<int32_t>(queues.size()) - 1;
    return tiles;
  }

 private:
  // Gives each item, the longest first, to the block that has least to do (Graham, "Bounds on multiprocessing
  // timing anomalies", 1969), and orders the items by block. Returns where each block's items begin.
  std::vector<int32_t> share_out(TensorCoreType type, TensorCoreShape shape, int multiprocessors,
                                 double* longest) {
    using Queue = std::pair<double, int>;  // cycles, number
    // Of multiprocessors or, where blocks make clusters, of groups of them.
    const int processors = std::max(multiprocessors / shape.cluster, 1);
    const int most = processors * blocks_per_multiprocessor(type, shape);
    const int blocks = std::min(most, static_cast<int>(items_.size()));
    std::priority_queue<Queue, std::vector<Queue>, std::greater<Queue>> idle;
    for (int i = 0; i < blocks; ++i) idle.push({0.0, i});
    std::vector<std::vector<TensorCoreItem>> queues(blocks);
    std::vector<double> busy(processors, 0.0);
    const auto columns_of = [&](const TensorCoreItem& item) {
      return std::min<int32_t>(tile_columns_, channels_[item.branch] - item.first_channel);
    };
    for (const TensorCoreItem& item : items_) {
      auto [cycles, number] = idle.top();
      idle.pop();
      const double more = item_cycles(type, shape, columns_of(item), item.chunks);
      queues[number].push_back(item);
      busy[number % processors] += more;
      idle.push({cycles + more, number});
    }
    *longest = *std::max_element(busy.begin(), busy.end());
    if (!shape.wgmma) return {0};
    std::vector<int32_t> begin{0};
    items_.clear();
    for (const auto& queue : queues) {
      items_.insert(items_.end(), queue.begin(), queue.end());
      begin.push_back(static_cast<int32_t>(items_.size()));
    }
    return begin;
  }

  int32_t place(const TapList& taps) {
    const auto [found, is_new] = placed_.emplace(taps, static_cast<int32_t>(taps_.size()));
    if (is_new) taps_.insert(taps_.end(), taps.begin(), taps.end());
    return found->second;
  }

  const int tile_rows_, tile_columns_;
  std::vector<int32_t> channels_;  // of a group of each branch
  std::vector<TensorCoreItem> items_;
  std::vector<TensorCoreRegion> regions_;
  TapList taps_;
  std::map<TapList, int32_t> placed_;
};

}  // namespace

TensorCoreTiles make_tensor_core_tiles(const std::vector<ConvGeometry>& convolutions, TensorCoreType type,
                                       TensorCoreShape shape, int multiprocessors) {
  TableBuilder builder(shape.rows * shape.cluster, shape.columns);
  for (size_t i = 0; i < convolutions.size(); ++i) {
    builder.add(static_cast<int32_t>(i), convolutions[i], unit_channels(type));
  }
  return builder.finish(type, shape, multiprocessors);
}

TensorCoreBranch make_branch(const ConvGeometry& g, TensorCoreType type) {
  const ChunkLayout layout = chunk_layout(g, unit_channels(type));
  const auto number = [](int64_t n) { return static_cast<int32_t>(n); };
  TensorCoreBranch b{};
  b.batch = number(g.batch);
  b.groups = number(g.groups);
  b.in_height = number(g.in_height);
  b.in_width = number(g.in_width);
  b.group_units = layout.units;
  b.pitch = number(g.groups * layout.units);
  b.out_height = number(g.out_height);
  b.out_width = number(g.out_width);
  b.out_channels = number(g.out_channels);
  b.group_channels = number(g.rows());
  b.padded_channels = static_cast<int32_t>(divide_up(g.rows(), 8) * 8);
  b.stride_height = number(g.stride_height);
  b.stride_width = number(g.stride_width);
  b.pad_height = number(g.pad_height);
  b.pad_width = number(g.pad_width);
  b.dilation_height = number(g.dilation_height);
  b.dilation_width = number(g.dilation_width);
  b.kernel_height = number(g.kernel_height);
  b.kernel_width = number(g.kernel_width);
  b.period = layout.period;
  b.period_chunks = layout.period_chunks;
  b.chunks = layout.chunks;
  return b;
}
