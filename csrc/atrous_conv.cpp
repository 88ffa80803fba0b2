#include "atrous_conv.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <new>

#include "simd/conv_tile.h"

namespace {

// Positions a task may hold: its packed input (448 x 336 floats) and partial sums stay in the second-level
// cache.
constexpr int64_t kTaskPositions = 7 * kConvLanes;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

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
  const double taps = static_cast<double>(std::max<size_t>(1, join(a.taps, b.taps).size()));
  const double waste_a = (a.end - a.begin) * (1.0 - a.taps.size() / taps);
  const double waste_b = (b.end - b.begin) * (1.0 - b.taps.size() / taps);
  return (waste_a + waste_b) * extent;
}

// Output positions that share their taps: rows x columns of every image of the batch, numbered image by
// image.
struct Region {
  TapInterval rows, columns;
  std::vector<int32_t> k;          // the k that take part, ascending, of one channel group
  std::vector<int64_t> block_end;  // for each block of the reduction, how many of `k` lie before its end

  int64_t height() const { return rows.end - rows.begin; }
  int64_t width() const { return columns.end - columns.begin; }
  int64_t positions(int64_t batch) const { return batch * height() * width(); }
};

// A run of neighbouring outputs of one row.
struct Run {
  int64_t image, y, x;
  int32_t position, length;  // position within the task
};

std::vector<Region> make_regions(const ConvGeometry& g) {
  // Less than half a tile of positions saved is not worth a cut; short column runs are slow to pack.
  const int64_t worth = kConvLanes / 2, shortest_run = 8;
  const auto rows = tap_intervals(g.in_height, g.out_height, g.kernel_height, g.stride_height, g.pad_height,
                                  g.dilation_height, g.out_width, worth, 1);
  const auto columns = tap_intervals(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.pad_width,
                                     g.dilation_width, g.out_height, worth, shortest_run);
  std::vector<Region> regions;
  for (const TapInterval& r : rows) {
    for (const TapInterval& c : columns) {
      Region region{r, c, {}, {}};
      for (int64_t channel = 0; channel < g.in_channels / g.groups; ++channel) {
        for (int ky : r.taps) {
          for (int kx : c.taps) {
            region.k.push_back(static_cast<int32_t>(channel * g.taps() + ky * g.kernel_width + kx));
          }
        }
      }
      for (int64_t begin = 0; begin < g.depth();) {
        const int64_t end = begin + reduction_block(g.depth() - begin);
        region.block_end.push_back(std::lower_bound(region.k.begin(), region.k.end(), end) -
                                   region.k.begin());
        begin = end;
      }
      regions.push_back(std::move(region));
    }
  }
  // The heaviest first, so that the last tasks handed out are light.
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.k.size() > b.k.size(); });
  return regions;
}

struct Task {
  const Region* region;
  int64_t group, first_tile, last_tile;  // row tiles
  int64_t first, last;                   // positions of the region
};

// Tasks of falling size: large ones reuse the weights best, small ones at the end even out the threads.
std::vector<Task> make_tasks(const ConvGeometry& g, const std::vector<Region>& regions, int threads) {
  int64_t left = 0;
  for (const Region& r : regions) left += r.positions(g.batch);
  // Few positions: the output channels are shared out too.
  const int64_t wanted = threads == 1 ? 1 : 4 * threads;
  const int64_t parts =
      std::min(g.row_tiles(), divide_up(wanted, std::max<int64_t>(1, left / (2 * kConvLanes))));
  const int64_t tiles = divide_up(g.row_tiles(), parts);
  std::vector<Task> tasks;
  for (const Region& r : regions) {
    for (int64_t first = 0, end = r.positions(g.batch); first < end;) {
      int64_t size = threads == 1 ? kTaskPositions : std::min(kTaskPositions, left / (3 * threads));
      size = std::min(end - first, std::max<int64_t>(2, size / kConvLanes) * kConvLanes);
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

// The task's outputs as runs that cross neither a row of the image nor a tile of lanes.
std::vector<Run> make_runs(const Task& task) {
  const Region& r = *task.region;
  std::vector<Run> runs;
  for (int64_t p = task.first; p < task.last;) {
    const int64_t row = p / r.width(), x = p % r.width(), position = p - task.first;
    const int64_t length = std::min({r.width() - x, task.last - p, kConvLanes - position % kConvLanes});
    runs.push_back({row / r.height(), r.rows.begin + row % r.height(), r.columns.begin + x,
                    static_cast<int32_t>(position), static_cast<int32_t>(length)});
    p += length;
  }
  return runs;
}

// Copies that bring one tap of one channel to the packed input: [tile][k of the block][kConvLanes].
void append_copies(const ConvGeometry& g, const std::vector<Run>& runs, int64_t ky, int64_t kx,
                   int64_t tile_size, std::vector<CopyRun>* copies) {
  for (const Run& run : runs) {
    const int64_t target = run.position / kConvLanes * tile_size + run.position % kConvLanes;
    const int64_t y = run.y * g.stride_height - g.pad_height + ky * g.dilation_height;
    const int64_t x = run.x * g.stride_width - g.pad_width + kx * g.dilation_width;
    int64_t begin = 0, end = 0;  // lanes inside the image
    if (y >= 0 && y < g.in_height) {
      begin = std::min<int64_t>(run.length, x < 0 ? divide_up(-x, g.stride_width) : 0);
      end = std::max(begin, std::min<int64_t>(run.length, divide_up(g.in_width - x, g.stride_width)));
    }
    const auto add = [&](int64_t source, int64_t from, int64_t to) {
      if (to > from) {
        copies->push_back({source, static_cast<int32_t>(target + from), static_cast<int32_t>(to - from)});
      }
    };
    const int64_t image = run.image * g.in_channels * g.in_height * g.in_width;
    add(-1, 0, begin);
    add(image + y * g.in_width + x + begin * g.stride_width, begin, end);
    add(-1, end, run.length);
  }
}

struct AlignedFree {
  void operator()(float* p) const { std::free(p); }
};

// A thread's working memory, kept from task to task.
class Workspace {
 public:
  float* get(int64_t floats) {
    if (floats > size_) {
      memory_.reset();
      size_ = 0;
      void* p = nullptr;
      if (posix_memalign(&p, 64, floats * sizeof(float)) != 0) throw std::bad_alloc();
      memory_.reset(static_cast<float*>(p));
      size_ = floats;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<float, AlignedFree> memory_;
  int64_t size_ = 0;
};

struct Operands {
  const float *x, *packed;
  const std::vector<EpilogueStep>& steps;
  float* y;
};

// Up to kConvLanes outputs that are summed together.
struct Tile {
  const float* input;  // lane 0 of k = 0
  int lanes;
  int64_t first_store, last_store;
};

// One task at work: its tiles, and the input they read, packed block by block.
class TaskRunner {
 public:
  TaskRunner(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const Operands& o,
             Workspace* memory)
      : g_(g), kernels_(kernels), task_(task), region_(*task.region), o_(o), runs_(make_runs(task)) {
    tiles_ = runs_.empty() ? 0 : runs_.back().position / kConvLanes + 1;
    for (int64_t b = 0, begin = 0; b < blocks(); begin = region_.block_end[b++]) {
      deepest_ = std::max(deepest_, region_.block_end[b] - begin);
    }
    const int64_t packed = tiles_ * deepest_ * kConvLanes;
    // With a single block a tile is stored as soon as it is summed, so one is enough.
    const int64_t kept_tiles = blocks() > 1 ? (task.last_tile - task.first_tile) * tiles_ : 1;
    packed_input_ = memory->get(packed + kept_tiles * kTile);
    sums_ = packed_input_ + packed;
    x_ = o.x + task.group * (g.in_channels / g.groups) * in_area();
    make_tiles();
    make_copies();
    weight_offset_.resize(deepest_);
  }

  void run() {
    for (int64_t b = 0, begin = 0; b < blocks(); begin = region_.block_end[b++]) {
      const int64_t depth = region_.block_end[b] - begin;
      prepare_block(begin, depth);
      for (int64_t r = 0; r < task_.last_tile - task_.first_tile; ++r) {
        const int64_t row = (task_.first_tile + r) * kConvRows, channel = task_.group * g_.rows() + row;
        const int64_t stored_rows = std::min<int64_t>(kConvRows, g_.rows() - row);
        const float* weights =
            o_.packed + (task_.group * g_.row_tiles() + task_.first_tile + r) * g_.depth() * kConvRows;
        for (int64_t t = 0; t < tiles_; ++t) {
          const Tile& tile = tile_[t];
          float* sum = sums_ + (blocks() > 1 ? (r * tiles_ + t) * kTile : 0);
          kernels_.accumulate(depth, weight_offset_.data(), weights, tile.input, tile.lanes, b == 0, sum);
          if (b + 1 < blocks()) continue;
          kernels_.store(sum, static_cast<int>(stored_rows), o_.steps.data(),
                         static_cast<int64_t>(o_.steps.size()), stores_.data() + tile.first_store,
                         tile.last_store - tile.first_store, channel, out_area(), o_.y);
        }
      }
    }
  }

 private:
  static constexpr int64_t kTile = kConvRows * kConvLanes;

  int64_t blocks() const { return static_cast<int64_t>(region_.block_end.size()); }
  int64_t in_area() const { return g_.in_height * g_.in_width; }
  int64_t out_area() const { return g_.out_height * g_.out_width; }

  void make_tiles() {
    for (const Run& run : runs_) {
      const int lane = run.position % kConvLanes;
      if (lane == 0) {
        const int64_t stored = static_cast<int64_t>(stores_.size());
        const float* input = packed_input_ + run.position / kConvLanes * deepest_ * kConvLanes;
        tile_.push_back({input, 0, stored, stored});
      }
      stores_.push_back(
          {run.image * g_.out_channels * out_area() + run.y * g_.out_width + run.x, lane, run.length});
      tile_.back().lanes = lane + run.length;
      tile_.back().last_store = static_cast<int64_t>(stores_.size());
    }
  }

  void make_copies() {
    for (int ky : region_.rows.taps) {
      for (int kx : region_.columns.taps) {
        append_copies(g_, runs_, ky, kx, deepest_ * kConvLanes, &copies_);
        copies_end_.push_back(static_cast<int64_t>(copies_.size()));
      }
    }
  }

  // Packs the block's inputs, [tile][i][lane], and lists where its weights are.
  void prepare_block(int64_t begin, int64_t depth) {
    const int64_t taps = static_cast<int64_t>(copies_end_.size());
    for (int64_t i = 0; i < depth; ++i) {
      const int64_t k = region_.k[begin + i], tap = (begin + i) % taps,
                    from = tap == 0 ? 0 : copies_end_[tap - 1];
      weight_offset_[i] = k * kConvRows;
      kernels_.pack(copies_.data() + from, copies_end_[tap] - from, x_ + k / g_.taps() * in_area(),
                    g_.stride_width, packed_input_ + i * kConvLanes);
    }
  }

  const ConvGeometry& g_;
  const ConvKernels& kernels_;
  const Task& task_;
  const Region& region_;
  const Operands& o_;
  const std::vector<Run> runs_;
  int64_t tiles_ = 0, deepest_ = 0;
  const float* x_ = nullptr;
  float *packed_input_ = nullptr, *sums_ = nullptr;
  std::vector<Tile> tile_;
  std::vector<StoreRun> stores_;
  std::vector<CopyRun> copies_;      // of one channel, tap by tap; the targets are those of i = 0 of a block
  std::vector<int64_t> copies_end_;  // where each tap's copies end
  std::vector<int64_t> weight_offset_;
};

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
  while (intervals.size() > 1) {
    size_t best = 0;
    double lowest = -1;
    for (size_t i = 0; i + 1 < intervals.size(); ++i) {
      const TapInterval &a = intervals[i], &b = intervals[i + 1];
      const double cost = joining_cost(a, b, extent);
      const bool keep = cost >= worth && a.end - a.begin >= shortest && b.end - b.begin >= shortest;
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

int64_t planned_multiply_adds(const ConvGeometry& g) {
  int64_t sum = 0;
  for (const Region& r : make_regions(g)) sum += r.positions(1) * static_cast<int64_t>(r.k.size());
  return sum * g.out_channels;
}

int64_t packed_weights_size(const ConvGeometry& g) {
  return g.groups * g.row_tiles() * g.depth() * kConvRows;
}

void pack_weights(const ConvGeometry& g, const float* weights, float* packed) {
  for (int64_t group = 0; group < g.groups; ++group) {
    for (int64_t tile = 0; tile < g.row_tiles(); ++tile) {
      for (int64_t k = 0; k < g.depth(); ++k) {
        for (int64_t r = 0; r < kConvRows; ++r, ++packed) {
          const int64_t row = tile * kConvRows + r;
          *packed = row < g.rows() ? weights[(group * g.rows() + row) * g.depth() + k] : 0.0f;
        }
      }
    }
  }
}

void unpack_weights(const ConvGeometry& g, const float* packed, float* weights) {
  for (int64_t group = 0; group < g.groups; ++group) {
    for (int64_t row = 0; row < g.rows(); ++row) {
      const float* tile = packed + (group * g.row_tiles() + row / kConvRows) * g.depth() * kConvRows;
      for (int64_t k = 0; k < g.depth(); ++k) *weights++ = tile[k * kConvRows + row % kConvRows];
    }
  }
}

void atrous_conv(const ConvGeometry& g, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, int threads) {
  const std::vector<Region> regions = make_regions(g);
  const std::vector<Task> tasks = make_tasks(g, regions, threads);
  const ConvKernels& kernels = SELECT_ISA(conv_kernels);
  const Operands operands{x, packed, steps, y};
  std::atomic<bool> out_of_memory{false};
#pragma omp parallel num_threads(threads)
  {
    static thread_local Workspace workspace;
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < tasks.size(); ++i) {
      try {
        if (!out_of_memory) TaskRunner(g, kernels, tasks[i], operands, &workspace).run();
      } catch (const std::bad_alloc&) {
        out_of_memory = true;
      }
    }
  }
  if (out_of_memory) throw std::bad_alloc();
}
