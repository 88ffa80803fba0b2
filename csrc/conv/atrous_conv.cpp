#include "conv/atrous_conv.h"

#include "conv/few_outputs.h"
#include "conv/nonzero_pairs.h"
#include "conv/output_tiles.h"
#include "conv/packed_input.h"
#include "conv/simd/conv_tile.h"
#include "conv/simd/depthwise.h"
#include "conv/task_loop.h"
#include "conv/zero_inputs.h"

namespace {

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
  // in_place: inputs are not packed, where that is possible. zeros: a tile's inputs that are all zero are
  // summed.
  TaskRunner(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const Operands& o,
             bool in_place, bool zeros, Workspace* memory)
      : g_(g),
        kernels_(kernels),
        task_(task),
        region_(*task.region),
        o_(o),
        runs_(make_runs(task, kernels.lanes)),
        x_(o.x + task.group * g.channels() * g.in_plane),
        input_(g, kernels, region_, runs_, x_),
        output_(g, runs_, kernels.lanes),
        tiles_(input_.tiles()),
        zeros_(zeros) {
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
    make_lines();
    weight_offset_.resize(input_.deepest());
    if (!zeros_) nonzero_.resize(tiles_);
  }

  void run() {
    if (in_place_) return run_in_place();
    for (int64_t b = 0, begin = 0; b < blocks(); begin = region_.block_end[b++]) {
      const int64_t depth = region_.block_end[b] - begin;
      for (int64_t i = 0; i < depth; ++i) weight_offset_[i] = region_.k[begin + i] * kConvRows;
      input_.prepare(begin, depth);
      if (!zeros_) list_nonzero(depth);
      for (int64_t r = 0; r < task_.last_tile - task_.first_tile; ++r) {
        const int64_t row = (task_.first_tile + r) * kConvRows, channel = task_.group * g_.rows() + row;
        const float* weights =
            o_.packed + (task_.group * g_.row_tiles() + task_.first_tile + r) * g_.depth() * kConvRows;
        for (int64_t t = 0; t < tiles_; ++t) {
          const Ahead ahead = next(r, t, weights, b + 1 == blocks() ? channel : -1);
          float* sum = sums_ + (blocks() > 1 ? (r * tiles_ + t) * sums_of_tile() : 0);
          if (g_.taps_first && depth > 0 && depth < g_.channels()) {
            float* tap_sum = tap_sums_ + (r * tiles_ + t) * sums_of_tile();
            const int64_t first = begin % g_.channels();
            accumulate(depth, t, weights, ahead, first == 0, tap_sum);
            if (first + depth == g_.channels()) add(tap_sum, begin < g_.channels(), sum);
          } else {
            accumulate(depth, t, weights, ahead, b == 0, sum);
          }
          if (b + 1 == blocks()) store(r, t, sum);
        }
      }
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats in a cache line

  int lanes() const { return kernels_.lanes; }
  int64_t sums_of_tile() const { return kConvRows * lanes(); }
  int64_t blocks() const { return static_cast<int64_t>(region_.block_end.size()); }

  // Of a tile and block, the k whose inputs are not all zero.
  struct Nonzero {
    int64_t count;
    std::vector<int64_t> weight_offset, input_offset;
  };

  Offsets offsets(int64_t t) const { return {weight_offset_.data(), input_.offsets(t)}; }

  void list_nonzero(int64_t depth) {
    for (int64_t t = 0; t < tiles_; ++t) {
      Nonzero& tile = nonzero_[t];
      tile.weight_offset.resize(input_.deepest());
      tile.input_offset.resize(input_.deepest());
      tile.count = kernels_.zero.list_nonzero(depth, offsets(t), input_.input(t), output_.tiles[t].lanes,
                                              tile.weight_offset.data(), tile.input_offset.data());
    }
  }

  // sum = (first ? 0 : sum) + the block's chains
  void accumulate(int64_t depth, int64_t t, const float* weights, const Ahead& ahead, bool first,
                  float* sum) const {
    const float* input = input_.input(t);
    const int lanes_of_tile = output_.tiles[t].lanes;
    if (zeros_) {
      kernels_.accumulate(depth, offsets(t), weights, ahead, input, lanes_of_tile, first, sum);
      return;
    }
    const Nonzero& tile = nonzero_[t];
    const Offsets nonzero{tile.weight_offset.data(), tile.input_offset.data()};
    kernels_.accumulate(tile.count, nonzero, weights, ahead, input, lanes_of_tile, first, sum);
    if (!kernels_.zero.any_negative_zero(sums_of_tile(), sum)) return;
    sum_negative_zeros(depth, offsets(t), weights, input, kConvRows, lanes(), lanes_of_tile, 1, first, sum);
  }

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
        kernels_.accumulate_in_place(in, begin, region_.block_end[b], output_.tiles[t].lanes, b == 0, sums,
                                     tiles_ * sums_of_tile());
        if (b + 1 < blocks()) continue;
        for (int64_t r = 0; r < row_tiles; ++r) store(r, t, sums + r * tiles_ * sums_of_tile());
      }
    }
  }

  void store(int64_t r, int64_t t, const float* sums) const {
    const int64_t row = (task_.first_tile + r) * kConvRows;
    store_tile(g_, kernels_, o_, task_.group, row, output_.tiles[t], output_.stores.data(), sums);
  }

  // sum = (first ? 0 : sum) + part
  void add(const float* part, bool first, float* sum) const {
    for (int64_t i = 0; i < sums_of_tile(); ++i) sum[i] = first ? part[i] : sum[i] + part[i];
  }

  // What the tile after tile t of row tile r needs; channel: the first of r if its outputs are stored now,
  // else -1. Weights of the next row tile lie far from these, and rows of channels far apart: waiting for
  // each in turn would cost as much as a short sum.
  Ahead next(int64_t r, int64_t t, const float* weights, int64_t channel) const {
    const bool last = t + 1 == tiles_;
    if (last && task_.first_tile + r + 1 == task_.last_tile) return {nullptr, nullptr, nullptr, nullptr, 0};
    Ahead ahead{last ? weights + g_.depth() * kConvRows : nullptr, nullptr, nullptr, nullptr, 0};
    if (channel < 0) return ahead;
    const int64_t soon = last ? 0 : t + 1;
    const int64_t at = (channel + (last ? kConvRows : 0)) * g_.out_plane;
    ahead.y = o_.y + at;
    ahead.other = other_ ? other_ + at : ahead.y;
    ahead.offset = lines_.data() + first_line_[soon];
    ahead.count = first_line_[soon + 1] - first_line_[soon];
    return ahead;
  }

  // Of each tile, where in its rows' outputs another cache line may begin.
  void make_lines() {
    for (const OutputTiles::Tile& tile : output_.tiles) {
      first_line_.push_back(static_cast<int64_t>(lines_.size()));
      for (int64_t row = 0; row < kConvRows; ++row) {
        for (int64_t s = tile.first_store; s < tile.last_store; ++s) {
          const StoreRun& run = output_.stores[s];
          const int64_t begin = row * g_.out_plane + run.target, last = begin + run.length - 1;
          for (int64_t i = begin; i < last; i += kLine) lines_.push_back(i);
          lines_.push_back(last);
        }
      }
    }
    first_line_.push_back(static_cast<int64_t>(lines_.size()));
  }

  const ConvGeometry& g_;
  const ConvKernels& kernels_;
  const Task& task_;
  const Region& region_;
  const Operands& o_;
  const std::vector<Run> runs_;
  const float *x_, *other_ = nullptr;
  PackedInput input_;
  const OutputTiles output_;
  const int64_t tiles_;
  const CopyRun* in_place_ = nullptr;  // if inputs are read where they are: the runs of the first tap
  float* sums_ = nullptr;
  float* tap_sums_ = nullptr;  // taps_first: sums over a tap whose channels are several blocks
  std::vector<int64_t> lines_, first_line_;
  std::vector<int64_t> weight_offset_;
  const bool zeros_;
  std::vector<Nonzero> nonzero_;  // of each tile, if zeros are left out
};

// A task by another way than TaskRunner's.
template <typename Way>
void run_otherwise(const ConvGeometry& g, const ConvKernels& kernels, const Task& task, const Operands& o,
                   Workspace* memory) {
  const float* x = o.x + task.group * g.channels() * g.in_plane;
  const int64_t first_tile = task.group * g.row_tiles() + task.first_tile;
  Way way(g, kernels, task, x, o.packed + first_tile * g.depth() * kConvRows);
  way.run(memory->get(way.size()),
          [&](int64_t r, const OutputTiles::Tile& tile, const StoreRun* stores, const float* sums) {
            store_tile(g, kernels, o, task.group, (task.first_tile + r) * kConvRows, tile, stores, sums);
          });
}

}  // namespace

void atrous_conv(const ConvGeometry& g, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, int threads) {
  if (g.depthwise()) {
    const int64_t count = static_cast<int64_t>(steps.size());
    if (!SELECT_ISA(depthwise_conv)(g, x, packed, steps.data(), count, y, threads)) throw std::bad_alloc();
    return;
  }
  const ConvKernels& kernels = SELECT_ISA(conv_kernels);
  const bool few_outputs = FewOutputs::suits(g, kernels);
  const ZeroInputs zeros =
      few_outputs ? ZeroInputs::summed : choose_zero_inputs(g, kernels, x, packed, threads);
  const bool summed = zeros == ZeroInputs::summed;
  const bool in_place = summed && kernels.accumulate_in_place && g.row_tiles() <= InPlace::kMostRowTiles &&
                        g.stride_width == 1 && g.out_width == g.in_width && !g.taps_first;
  const Cuts cuts = few_outputs ? Cuts::all : in_place ? Cuts::whole_rows : Cuts::worthwhile;
  const std::vector<Region> regions = make_regions(g, cuts);
  const std::vector<Task> tasks = make_tasks(g, regions, kernels.lanes, threads);
  const Operands operands{x, packed, steps, y};
  run_tasks(tasks, threads, [&](const Task& task, Workspace* workspace) {
    if (few_outputs) {
      run_otherwise<FewOutputs>(g, kernels, task, operands, workspace);
    } else if (zeros == ZeroInputs::left_out_of_pairs) {
      run_otherwise<NonzeroPairs>(g, kernels, task, operands, workspace);
    } else {
      TaskRunner(g, kernels, task, operands, in_place, summed, workspace).run();
    }
  });
}
