#include "conv/atrous_conv.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "conv/packed_input.h"
#include "conv/simd/conv_tile.h"
#include "conv/simd/depthwise.h"
#include "platform/buffer.h"

namespace {

// A thread's working memory, kept from task to task.
class Workspace {
 public:
  float* get(int64_t floats) {
    const auto wanted = static_cast<std::size_t>(floats);
    if (wanted > memory_.size()) {
      memory_ = Buffer<float>();
      memory_ = Buffer<float>(wanted);
    }
    return memory_.data();
  }

 private:
  Buffer<float> memory_;
};

struct Operands {
  const float *x, *packed;
  const std::vector<EpilogueStep>& steps;
  float* y;
};

// Up to `lanes` outputs that are summed together.
struct Tile {
  int lanes;
  int64_t first_store, last_store;
  int64_t first_line, last_line;
};

// One task at work: its tiles, and the input they read, packed block by block. What it does, naively:
//
//   for each block of k                        // input_ packs what it reads
//     for each row tile of the task            // kConvRows output channels
//       for each tile of positions             // kernels_.lanes outputs
//         for each k of the block              // kernels_.accumulate, sums in registers
//           sum[row][lane] = fma(weight[k][row], input[k][lane], sum[row][lane])
//
// With several blocks the sums of all tiles are kept in memory from block to block; with one, a tile is
// stored as soon as it is summed. taps_first: the sum of a tap's channels is a chain of its own, added when
// whole.
class TaskRunner {
 public:
  // in_place: inputs are not packed, where that is possible.
  TaskRunner(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const Operands& o,
             bool in_place, Workspace* memory)
      : g_(g),
        kernels_(kernels),
        task_(task),
        region_(*task.region),
        o_(o),
        runs_(make_runs(task, kernels.lanes)),
        x_(o.x + task.group * g.channels() * g.in_plane),
        input_(g, kernels, region_, runs_, x_),
        tiles_(input_.tiles()) {
    const std::vector<CopyRun>* copies = input_.one_run_each();
    const int64_t taps = static_cast<int64_t>(region_.rows.taps.size() * region_.columns.taps.size());
    if (in_place && copies && taps <= InPlace::kMostTaps) in_place_ = copies->data();
    const int64_t packed = in_place_ ? 0 : input_.size();
    // With a single block a tile is stored as soon as it is summed, so one is enough.
    const int64_t all_tiles = (task.last_tile - task.first_tile) * tiles_;
    const int64_t kept_tiles = blocks() > 1 || in_place_ ? all_tiles : 1;
    float* floats = memory->get(packed + (g.taps_first ? 2 : 1) * kept_tiles * sums_of_tile());
    input_.use(floats);
    sums_ = floats + packed;
    tap_sums_ = sums_ + kept_tiles * sums_of_tile();
    for (const EpilogueStep& step : o.steps) {
      if (step.kind == EpilogueStep::kSum) other_ = step.a;
    }
    make_tiles();
    make_lines();
    weight_offset_.resize(input_.deepest());
  }

  void run() {
    if (in_place_) return run_in_place();
    for (int64_t b = 0, begin = 0; b < blocks(); begin = region_.block_end[b++]) {
      const int64_t depth = region_.block_end[b] - begin;
      for (int64_t i = 0; i < depth; ++i) weight_offset_[i] = region_.k[begin + i] * kConvRows;
      input_.prepare(begin, depth);
      for (int64_t r = 0; r < task_.last_tile - task_.first_tile; ++r) {
        const int64_t row = (task_.first_tile + r) * kConvRows, channel = task_.group * g_.rows() + row;
        const float* weights =
            o_.packed + (task_.group * g_.row_tiles() + task_.first_tile + r) * g_.depth() * kConvRows;
        for (int64_t t = 0; t < tiles_; ++t) {
          const Tile& tile = tile_[t];
          const Ahead ahead = next(r, t, weights, b + 1 == blocks() ? channel : -1);
          const Offsets offsets{weight_offset_.data(), input_.offsets(t)};
          float* sum = sums_ + (blocks() > 1 ? (r * tiles_ + t) * sums_of_tile() : 0);
          if (g_.taps_first && depth > 0 && depth < g_.channels()) {
            float* tap_sum = tap_sums_ + (r * tiles_ + t) * sums_of_tile();
            const int64_t first = begin % g_.channels();
            kernels_.accumulate(depth, offsets, weights, ahead, input_.input(t), tile.lanes, first == 0,
                                tap_sum);
            if (first + depth == g_.channels()) add(tap_sum, begin < g_.channels(), sum);
          } else {
            kernels_.accumulate(depth, offsets, weights, ahead, input_.input(t), tile.lanes, b == 0, sum);
          }
          if (b + 1 == blocks()) store(r, tile, sum);
        }
      }
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats in a cache line

  int lanes() const { return kernels_.lanes; }
  int64_t sums_of_tile() const { return kConvRows * lanes(); }
  int64_t blocks() const { return static_cast<int64_t>(region_.block_end.size()); }

  // All row tiles of a tile of positions at once, block after block.
  void run_in_place() {
    const int64_t row_tiles = task_.last_tile - task_.first_tile, row_tile_step = g_.depth() * kConvRows;
    InPlace in{};
    in.run_step = tiles_;
    in.taps = static_cast<int64_t>(region_.rows.taps.size() * region_.columns.taps.size());
    in.weight = region_.k.data();
    in.first_channel = x_;
    in.weights = o_.packed + (task_.group * g_.row_tiles() + task_.first_tile) * row_tile_step;
    in.plane = g_.in_plane;
    in.weights_of_channel = g_.taps() * kConvRows;
    in.row_tile_step = row_tile_step;
    in.row_tiles = row_tiles;
    for (int64_t b = 0, begin = 0; b < blocks(); begin = region_.block_end[b++]) {
      for (int64_t t = 0; t < tiles_; ++t) {
        in.runs = in_place_ + t;
        float* sums = sums_ + t * sums_of_tile();
        kernels_.accumulate_in_place(in, begin, region_.block_end[b], tile_[t].lanes, b == 0, sums,
                                     tiles_ * sums_of_tile());
        if (b + 1 < blocks()) continue;
        for (int64_t r = 0; r < row_tiles; ++r) store(r, tile_[t], sums + r * tiles_ * sums_of_tile());
      }
    }
  }

  // Takes the sums of row tile r of the task through the epilogue and writes them.
  void store(int64_t r, const Tile& tile, const float* sum) const {
    const int64_t row = (task_.first_tile + r) * kConvRows;
    const auto rows = static_cast<int>(std::min<int64_t>(kConvRows, g_.rows() - row));
    kernels_.store(sum, rows, o_.steps.data(), static_cast<int64_t>(o_.steps.size()),
                   stores_.data() + tile.first_store, tile.last_store - tile.first_store,
                   task_.group * g_.rows() + row, g_.out_plane, o_.y);
  }

  // sum = (first ? 0 : sum) + part
  void add(const float* part, bool first, float* sum) const {
    for (int64_t i = 0; i < sums_of_tile(); ++i) sum[i] = first ? part[i] : sum[i] + part[i];
  }

  void make_tiles() {
    for (const Run& run : runs_) {
      const int lane = run.position % lanes();
      if (lane == 0) {
        const int64_t stored = static_cast<int64_t>(stores_.size());
        tile_.push_back({0, stored, stored, 0, 0});
      }
      const int64_t target = run.image * g_.out_channels * g_.out_plane + run.y * g_.out_width + run.x;
      if (lane > 0 && stores_.back().target + stores_.back().length == target) {
        stores_.back().length += run.length;  // whole rows follow each other in memory
      } else {
        stores_.push_back({target, lane, run.length});
      }
      tile_.back().lanes = lane + run.length;
      tile_.back().last_store = static_cast<int64_t>(stores_.size());
    }
  }

  // What the tile after tile t of row tile r needs; channel: the first of r if its outputs are stored now,
  // else -1. Weights of the next row tile lie far from these, and rows of channels far apart: waiting for
  // each in turn would cost as much as a short sum.
  Ahead next(int64_t r, int64_t t, const float* weights, int64_t channel) const {
    const bool last = t + 1 == tiles_;
    if (last && task_.first_tile + r + 1 == task_.last_tile) return {nullptr, nullptr, nullptr, nullptr, 0};
    Ahead ahead{last ? weights + g_.depth() * kConvRows : nullptr, nullptr, nullptr, nullptr, 0};
    if (channel < 0) return ahead;
    const Tile& tile = tile_[last ? 0 : t + 1];
    const int64_t at = (channel + (last ? kConvRows : 0)) * g_.out_plane;
    ahead.y = o_.y + at;
    ahead.other = other_ ? other_ + at : ahead.y;
    ahead.offset = lines_.data() + tile.first_line;
    ahead.count = tile.last_line - tile.first_line;
    return ahead;
  }

  // Of each tile, where in its rows' outputs another cache line may begin.
  void make_lines() {
    for (Tile& tile : tile_) {
      tile.first_line = static_cast<int64_t>(lines_.size());
      for (int64_t row = 0; row < kConvRows; ++row) {
        for (int64_t s = tile.first_store; s < tile.last_store; ++s) {
          const int64_t begin = row * g_.out_plane + stores_[s].target, last = begin + stores_[s].length - 1;
          for (int64_t i = begin; i < last; i += kLine) lines_.push_back(i);
          lines_.push_back(last);
        }
      }
      tile.last_line = static_cast<int64_t>(lines_.size());
    }
  }

  const ConvGeometry& g_;
  const ConvKernels& kernels_;
  const Task& task_;
  const Region& region_;
  const Operands& o_;
  const std::vector<Run> runs_;
  const float *x_, *other_ = nullptr;
  PackedInput input_;
  const int64_t tiles_;
  const CopyRun* in_place_ = nullptr;  // if inputs are read where they are: the runs of the first tap
  float* sums_ = nullptr;
  float* tap_sums_ = nullptr;  // taps_first: sums over a tap whose channels are several blocks
  std::vector<Tile> tile_;
  std::vector<StoreRun> stores_;
  std::vector<int64_t> lines_;
  std::vector<int64_t> weight_offset_;
};

}  // namespace

void atrous_conv(const ConvGeometry& g, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, int threads) {
  if (g.depthwise()) {
    const int64_t count = static_cast<int64_t>(steps.size());
    if (!SELECT_ISA(depthwise_conv)(g, x, packed, steps.data(), count, y, threads)) throw std::bad_alloc();
    return;
  }
  const ConvKernels& kernels = SELECT_ISA(conv_kernels);
  const bool in_place = kernels.accumulate_in_place && g.row_tiles() <= InPlace::kMostRowTiles &&
                        g.stride_width == 1 && g.out_width == g.in_width && !g.taps_first;
  const std::vector<Region> regions = make_regions(g, in_place);
  const std::vector<Task> tasks = make_tasks(g, regions, kernels.lanes, threads);
  const Operands operands{x, packed, steps, y};
  std::atomic<bool> out_of_memory{false};
#pragma omp parallel num_threads(threads)
  {
    static thread_local Workspace workspace;
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < tasks.size(); ++i) {
      try {
        if (!out_of_memory) TaskRunner(g, kernels, tasks[i], operands, in_place, &workspace).run();
      } catch (const std::bad_alloc&) {
        out_of_memory = true;
      }
    }
  }
  if (out_of_memory) throw std::bad_alloc();
}
