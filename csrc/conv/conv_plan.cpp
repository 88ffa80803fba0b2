#include "conv/conv_plan.h"

#include <algorithm>
#include <iterator>

namespace {

// Tiles of packed input that a task may hold with a whole block of the reduction (448 k) each: with 48 lanes
// (AVX-512) 602 KB, with 24 (AVX2) 301 KB, so that they, the task's partial sums and the weights of a row
// tile stay in the second-level cache, which is 1 MB or more, or 512 KB.
constexpr int64_t kTaskTiles = 7;
constexpr int64_t kLongestBlock = 448;

std::vector<int> valid_taps(int64_t o, int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                            int64_t dilation) {
  std::vector<int> taps;
  for (int64_t k = 0; k < kernel; ++k) {
    const int64_t i = o * stride - pad + k * dilation;
    if (i >= 0 && i < in) taps.push_back(static_cast<int>(k));
  }
  return taps;
}

std::vector<int> join(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> both;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

// Work that joining two intervals adds, in positions.
double joining_cost(const TapInterval& a, const TapInterval& b, int64_t extent) {
  const auto taps = static_cast<double>(std::max<size_t>(1, join(a.taps, b.taps).size()));
  const auto waste = [taps](const TapInterval& interval) {
    const auto length = static_cast<double>(interval.end - interval.begin);
    return length * (1.0 - static_cast<double>(interval.taps.size()) / taps);
  };
  return (waste(a) + waste(b)) * static_cast<double>(extent);
}

void list_channels_first(const ConvGeometry& g, Region* region) {
  for (int64_t channel = 0; channel < g.channels(); ++channel) {
    for (int ky : region->rows.taps) {
      for (int kx : region->columns.taps) {
        region->k.push_back(static_cast<int32_t>(channel * g.taps() + ky * g.kernel_width + kx));
      }
    }
  }
  for (int64_t begin = 0; begin < g.depth();) {
    const int64_t end = begin + reduction_block(g.depth() - begin);
    const auto& k = region->k;
    region->block_end.push_back(std::lower_bound(k.begin(), k.end(), end) - k.begin());
    begin = end;
  }
}

void list_taps_first(const ConvGeometry& g, Region* region) {
  const std::vector<int>&rows = region->rows.taps, &columns = region->columns.taps;
  for (auto ky = rows.rbegin(); ky != rows.rend(); ++ky) {
    for (auto kx = columns.rbegin(); kx != columns.rend(); ++kx) {
      const int64_t begin = static_cast<int64_t>(region->k.size());
      const int64_t place = g.taps() - 1 - (*ky * g.kernel_width + *kx);
      for (int64_t channel = 0; channel < g.channels(); ++channel) {
        region->k.push_back(static_cast<int32_t>(place * g.channels() + channel));
      }
      for (int64_t end = 0; end < g.channels();) {
        end += reduction_block(g.channels() - end);
        region->block_end.push_back(begin + end);
      }
    }
  }
  if (region->block_end.empty()) region->block_end.push_back(0);  // no tap at all: the outputs are 0
}

}  // namespace

std::vector<TapInterval> tap_intervals(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                                       int64_t dilation, int64_t extent, int64_t worth, int64_t shortest) {
  std::vector<TapInterval> intervals;
  for (int64_t o = 0; o < out; ++o) {
    std::vector<int> taps = valid_taps(o, in, kernel, stride, pad, dilation);
    if (intervals.empty() || intervals.back().taps != taps) intervals.push_back({o, o, std::move(taps)});
    intervals.back().end = o + 1;
  }
  // Join the cheapest neighbours until every remaining cut is worth it.
  const auto least = static_cast<double>(worth);
  while (intervals.size() > 1) {
    size_t best = 0;
    double lowest = -1;
    for (size_t i = 0; i + 1 < intervals.size(); ++i) {
      const TapInterval &a = intervals[i], &b = intervals[i + 1];
      const double cost = joining_cost(a, b, extent);
      const bool keep = cost >= least && a.end - a.begin >= shortest && b.end - b.begin >= shortest;
      if (!keep && (lowest < 0 || cost < lowest)) {
        lowest = cost;
        best = i;
      }
    }
    if (lowest < 0) break;
    intervals[best].taps = join(intervals[best].taps, intervals[best + 1].taps);
    intervals[best].end = intervals[best + 1].end;
    intervals.erase(intervals.begin() + best + 1);
  }
  return intervals;
}

std::vector<Region> make_regions(const ConvGeometry& g, Cuts cuts) {
  // Fewer positions saved, half of the largest tile, are not worth a cut; short column runs are slow to pack.
  const int64_t worth = cuts == Cuts::all ? 0 : 24;
  const int64_t shortest_run = cuts == Cuts::all ? 1 : cuts == Cuts::whole_rows ? g.out_width : 8;
  const auto rows = tap_intervals(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.pad_height,
                                  g.dilation_height, g.out_width, worth, 1);
  const auto columns = tap_intervals(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.pad_width,
                                     g.dilation_width, g.out_height, worth, shortest_run);
  std::vector<Region> regions;
  for (const TapInterval& r : rows) {
    for (const TapInterval& c : columns) {
      Region region{r, c, {}, {}};
      if (g.taps_first) {
        list_taps_first(g, &region);
      } else {
        list_channels_first(g, &region);
      }
      regions.push_back(std::move(region));
    }
  }
  // The heaviest first, so that the last tasks handed out are light.
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.k.size() > b.k.size(); });
  return regions;
}

int64_t planned_multiply_adds(const ConvGeometry& g) {
  int64_t sum = 0;
  for (const Region& r : make_regions(g, Cuts::worthwhile))
    sum += r.positions(1) * static_cast<int64_t>(r.k.size());
  return sum * g.out_channels;
}

std::vector<Task> make_tasks(const ConvGeometry& g, const std::vector<Region>& regions, int lanes,
                             int threads, int64_t row_tiles) {
  int64_t left = 0;
  for (const Region& r : regions) left += r.positions(g.batch);
  // Every thread shall have about four tasks, so that the slowest does not hold up the others. Where there
  // are fewer chunks of two tiles of positions than that, the output channels are cut into parts, too: parts
  // = tasks wanted / chunks, and each part is `tiles` row tiles. Each part packs the input anew, so no more
  // than needed.
  const int64_t wanted = threads == 1 ? 1 : 4 * threads;
  const int64_t parts = std::min(g.row_tiles(), divide_up(wanted, std::max<int64_t>(1, left / (2 * lanes))));
  const int64_t tiles = divide_up(divide_up(g.row_tiles(), parts), row_tiles) * row_tiles;
  // A short sum leaves room for more positions: the longer a task's runs, the better memory streams.
  const int64_t block = std::max<int64_t>(1, reduction_block(g.depth()));
  const int64_t most = kTaskTiles * lanes * kLongestBlock / block;
  std::vector<Task> tasks;
  for (const Region& r : regions) {
    for (int64_t first = 0, end = r.positions(g.batch); first < end;) {
      // A third of each thread's share of what is left: tasks shrink towards the end.
      int64_t size = threads == 1 ? most : std::min(most, left / (3 * threads));
      size = std::min(end - first, std::max<int64_t>(2, size / lanes) * lanes);
      for (int64_t group = 0; group < g.groups; ++group) {
        for (int64_t tile = 0; tile < g.row_tiles(); tile += tiles) {
          tasks.push_back({&r, group, tile, std::min(tile + tiles, g.row_tiles()), first, first + size});
        }
      }
      first += size;
      left -= size;
    }
  }
  return tasks;
}

std::vector<Run> make_runs(const Task& task, int lanes) {
  const Region& r = *task.region;
  std::vector<Run> runs;
  for (int64_t p = task.first; p < task.last;) {
    const int64_t row = p / r.width(), x = p % r.width(), position = p - task.first;
    const int64_t length = std::min({r.width() - x, task.last - p, lanes - position % lanes});
    runs.push_back({row / r.height(), r.rows.begin + row % r.height(), r.columns.begin + x,
                    static_cast<int32_t>(position), static_cast<int32_t>(length)});
    p += length;
  }
  return runs;
}
