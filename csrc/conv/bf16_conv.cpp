#include "conv/bf16_conv.h"

#include <algorithm>
#include <stdexcept>

#include "conv/bf16/bf16_kernels.h"
#include "conv/bf16/bf16_value.h"
#include "conv/output_tiles.h"
#include "conv/packed_input.h"
#include "conv/task_loop.h"
#include "platform/bf16_instructions.h"

namespace {

constexpr int64_t kChunkFloats = kBf16Rows * kBf16Chunk;  // weights of 16 pairs
constexpr int64_t kChunkChannels = 2 * kBf16Chunk;
// Inputs of a lane in a block of the reduction: a tile's rounded ones shall stay in the nearest cache, which
// is 32 KB or more: 160 words of 48 lanes are 31 KB.
constexpr int64_t kBlock = 320;

int64_t chunks(const ConvGeometry& g) { return divide_up(g.channels(), kChunkChannels); }
int64_t row_step(const ConvGeometry& g) { return g.taps() * chunks(g) * kChunkFloats; }

// A function of the whole kernel, so that outputs which see few of its taps are summed in the same order.
int64_t block_channels(const ConvGeometry& g) {
  return std::max<int64_t>(1, kBlock / (g.taps() * kChunkChannels)) * kChunkChannels;
}

void cut_into_blocks(const ConvGeometry& g, Region* region) {
  const auto taps = static_cast<int64_t>(region->rows.taps.size() * region->columns.taps.size());
  region->block_end.clear();
  for (int64_t channel = 0; channel < g.channels();) {
    channel = std::min(channel + block_channels(g), g.channels());
    region->block_end.push_back(channel * taps);
  }
}

// Some instructions want a thread prepared.
class InUse {
 public:
  explicit InUse(const Bf16Kernels& kernels) : kernels_(kernels) {
    if (kernels_.begin) kernels_.begin();
  }
  ~InUse() {
    if (kernels_.end) kernels_.end();
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  const Bf16Kernels& kernels_;
};

// One task at work: for each block of channels, for each tile of positions, all of its rows. A tile is packed
// when its turn comes, so that it is still in a near cache when it is rounded, then summed.
class Bf16Task {
 public:
  Bf16Task(const ConvGeometry& g, const Bf16Kernels& kernels, const Task& task, const Operands& o,
           Workspace* memory)
      : g_(g),
        kernels_(kernels),
        task_(task),
        region_(*task.region),
        o_(o),
        taps_(static_cast<int64_t>(region_.rows.taps.size() * region_.columns.taps.size())),
        output_(g, make_runs(task, lanes()), lanes()) {
    for (int64_t first = task.first; first < task.last; first += lanes()) {
      Task tile = task;
      tile.first = first, tile.last = std::min(first + lanes(), task.last);
      inputs_.emplace_back(g, *kernels.conv, region_, make_runs(tile, lanes()), o.x);
    }
    const int64_t words = taps_ * filled(std::min(g.channels(), block_channels(g))) * lanes();
    const int64_t kept = blocks() > 1 ? units() * tiles() : 1;
    words_ = memory->get(words + kept * sums_of_unit() + inputs_.front().size());
    sums_ = words_ + words;
    for (PackedInput& input : inputs_) input.use(sums_ + kept * sums_of_unit());
  }

  void run() {
    const InUse in_use(kernels_);
    for (int64_t b = 0; b < blocks(); ++b) {
      const int64_t channel = b * block_channels(g_);
      const int64_t channels = std::min(block_channels(g_), g_.channels() - channel);
      list_weights(channel, channels);
      for (int64_t t = 0; t < tiles(); ++t) {
        inputs_[t].prepare(channel * taps_, channels * taps_);
        kernels_.round(inputs_[t].input(0), channels, taps_, words_);
        for (int64_t unit = 0; unit < units(); ++unit) {
          float* sums = sums_ + (blocks() > 1 ? unit * tiles() + t : 0) * sums_of_unit();
          sum(unit, t, b == 0, sums);
          if (b + 1 == blocks()) store(unit, t, sums);
        }
      }
    }
  }

 private:
  int lanes() const { return kernels_.conv->lanes; }
  int64_t tiles() const { return static_cast<int64_t>(inputs_.size()); }
  int64_t sums_of_unit() const { return kBf16Rows * lanes(); }
  int64_t blocks() const { return static_cast<int64_t>(region_.block_end.size()); }
  // Units of kBf16Rows rows.
  int64_t units() const { return divide_up(task_.last_tile - task_.first_tile, 2); }
  int64_t first_row(int64_t unit) const { return task_.first_tile * kConvRows + unit * kBf16Rows; }
  // A tap's pairs in a block.
  int64_t filled(int64_t channels) const {
    return divide_up(divide_up(channels, 2), kernels_.pairs) * kernels_.pairs;
  }

  void list_weights(int64_t first_channel, int64_t channels) {
    weight_offset_.clear();
    for (int64_t i = 0; i < taps_; ++i) {
      const int64_t tap = region_.k[i], chunk = tap * chunks(g_) + first_channel / kChunkChannels;
      for (int64_t pair = 0; pair < filled(channels); ++pair) {
        const int64_t at = (chunk + pair / kBf16Chunk) * kChunkFloats;
        weight_offset_.push_back(at + pair % kBf16Chunk);
      }
    }
  }

  void sum(int64_t unit, int64_t t, bool first, float* sums) const {
    const auto depth = static_cast<int64_t>(weight_offset_.size());
    const auto rows = static_cast<int>(std::min<int64_t>(kBf16Rows, g_.rows() - first_row(unit)));
    const float* weights = o_.packed + first_row(unit) / kBf16Rows * row_step(g_);
    kernels_.accumulate(depth, weight_offset_.data(), weights, words_, output_.tiles[t].lanes, rows, first,
                        sums);
  }

  void store(int64_t unit, int64_t t, const float* sums) const {
    for (int half = 0; half < 2; ++half) {
      const int64_t row = first_row(unit) + half * kConvRows;
      if (row >= task_.last_tile * kConvRows) break;
      store_tile(g_, *kernels_.conv, o_, 0, row, output_.tiles[t], output_.stores.data(),
                 sums + half * kConvRows * lanes());
    }
  }

  const ConvGeometry& g_;
  const Bf16Kernels& kernels_;
  const Task& task_;
  const Region& region_;
  const Operands& o_;
  const int64_t taps_;
  std::vector<PackedInput> inputs_;  // of each tile
  const OutputTiles output_;
  float *words_ = nullptr, *sums_ = nullptr;
  std::vector<int64_t> weight_offset_;
};

const Bf16Kernels& kernels_of(Bf16Way way) {
  if (!has(way)) throw std::invalid_argument("this processor (or build) has no such instructions");
#ifdef HAVE_X86_BF16
  if (way == Bf16Way::avx512) return avx512bf16::bf16_pair_kernels;
  if (way == Bf16Way::amx) return amx::bf16_tile_kernels;
#endif
  return way == Bf16Way::avx512_plain ? portable::bf16_pair_kernels : portable::bf16_tile_kernels;
}

}  // namespace

bool has(Bf16Way way) {
  if (way == Bf16Way::avx512) return has_avx512_bf16();
  return way != Bf16Way::amx || (has_avx512_bf16() && may_use_amx_bf16());
}

int64_t bf16_weights_size(const ConvGeometry& g) { return divide_up(g.rows(), kBf16Rows) * row_step(g); }

void pack_bf16_weights(const ConvGeometry& g, const float* weights, float* packed, int threads) {
  const auto weight = [&](int64_t row, int64_t channel, int64_t tap) {
    const bool there = row < g.rows() && channel < g.channels();
    return there ? weights[(row * g.channels() + channel) * g.taps() + tap] : 0.0f;
  };
  const int64_t pieces = bf16_weights_size(g) / (chunks(g) * kChunkFloats);
#pragma omp parallel for num_threads(threads)
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t first_row = piece / g.taps() * kBf16Rows, tap = piece % g.taps();
    float* to = packed + piece * chunks(g) * kChunkFloats;
    for (int64_t chunk = 0; chunk < chunks(g); ++chunk) {
      for (int64_t row = first_row; row < first_row + kBf16Rows; ++row) {
        for (int64_t pair = chunk * kBf16Chunk; pair < (chunk + 1) * kBf16Chunk; ++pair) {
          *to++ = bf16_pair(weight(row, 2 * pair, tap), weight(row, 2 * pair + 1, tap));
        }
      }
    }
  }
}

void bf16_conv(const ConvGeometry& g, Bf16Way way, const float* x, const float* packed,
               const std::vector<EpilogueStep>& steps, float* y, int threads) {
  if (g.groups != 1) throw std::invalid_argument("bf16_conv: one group wanted");
  const Bf16Kernels& kernels = kernels_of(way);
  std::vector<Region> regions = make_regions(g, Cuts::worthwhile);
  for (Region& region : regions) cut_into_blocks(g, &region);
  const std::vector<Task> tasks = make_tasks(g, regions, kernels.conv->lanes, threads, 2);
  const Operands operands{x, packed, steps, y};
  run_tasks(tasks, threads, [&](const Task& task, Workspace* workspace) {
    Bf16Task(g, kernels, task, operands, workspace).run();
  });
}
