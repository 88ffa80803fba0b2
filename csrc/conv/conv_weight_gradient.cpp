#include <algorithm>
#include <vector>

#include "conv/conv_gradient.h"
#include "conv/simd/weight_gradient.h"
#include "platform/buffer.h"

namespace {

// Output channels of a group, cut into equal tiles of whole vectors.
struct LaneTiles {
  int64_t count;
  int pitch;  // lanes of a tile

  explicit LaneTiles(int64_t channels) {
    const int64_t vectors = divide_up(channels, 16);
    count = divide_up(vectors * 16, kGradientLanes);
    pitch = static_cast<int>(16 * divide_up(vectors, count));
  }
};

// One tap's runs over an image's output positions; block b of the reduction owns runs end[b - 1]..end[b].
struct TapRuns {
  std::vector<InputRun> runs;
  std::vector<int64_t> end;
};

// Blocks of the sum over `positions`: where each ends.
std::vector<int64_t> block_ends(int64_t positions) {
  std::vector<int64_t> ends;
  for (int64_t end = 0; end < positions;) ends.push_back(end += reduction_block(positions - end));
  return ends;
}

// The first and the end of the outputs 0..out whose tap lies inside 0..in.
std::pair<int64_t, int64_t> reached(int64_t in, int64_t out, int64_t stride, int64_t offset) {
  const int64_t first = offset < 0 ? divide_up(-offset, stride) : 0;
  const int64_t end = offset < in ? divide_up(in - offset, stride) : 0;
  return {std::min(first, out), std::max(std::min(first, out), std::min(end, out))};
}

TapRuns make_tap_runs(const ConvGeometry& g, int64_t tap, const std::vector<int64_t>& blocks) {
  const int64_t dy = tap / g.kernel_width * g.dilation_height - g.pad_height;
  const int64_t dx = tap % g.kernel_width * g.dilation_width - g.pad_width;
  const auto rows = reached(g.in_height, g.out_height, g.stride_height, dy);
  const auto columns = reached(g.in_width, g.out_width, g.stride_width, dx);
  TapRuns result;
  int64_t block_begin = 0;
  for (int64_t block_end : blocks) {
    const int64_t first_row = std::max(rows.first, block_begin / g.out_width);
    for (int64_t y = first_row; y < rows.second && y * g.out_width < block_end; ++y) {
      const int64_t row = y * g.out_width;
      const int64_t begin = std::max(block_begin, row + columns.first);
      const int64_t end = std::min(block_end, row + columns.second);
      if (begin >= end) continue;
      const int64_t source = (y * g.stride_height + dy) * g.in_width + (begin - row) * g.stride_width + dx;
      result.runs.push_back(
          {source, static_cast<int32_t>(begin - block_begin), static_cast<int32_t>(end - begin)});
    }
    result.end.push_back(static_cast<int64_t>(result.runs.size()));
    block_begin = block_end;
  }
  return result;
}

class WeightGradient {
 public:
  WeightGradient(const ConvGeometry& g, const float* x, const float* dy, int threads)
      : g_(g),
        kernels_(SELECT_ISA(weight_gradient_kernels)),
        x_(x),
        dy_(dy),
        threads_(threads),
        lanes_(g.rows()),
        blocks_(block_ends(positions())),
        octets_(divide_up(g.channels(), kGradientRows)) {
    for (int64_t tap = 0; tap < g.taps(); ++tap) taps_.push_back(make_tap_runs(g, tap, blocks_));
    int64_t longest = 0;
    for (size_t b = 0; b < blocks_.size(); ++b) longest = std::max(longest, blocks_[b] - block_begin(b));
    block_size_ = longest * lanes_.pitch;
    // As many tiles of lanes, and blocks, at a time as leave their gradients in a second-level cache of 2 MB:
    // 300,000 floats are 1.2 MB.
    const int64_t kept = std::max<int64_t>(1, 300'000 / block_size_);
    lanes_at_a_time_ = std::min(kept, lanes_.count);
    at_a_time_ = std::clamp<int64_t>(kept / lanes_at_a_time_, 1, blocks_.size());
    gradients_ = Buffer<float>(at_a_time_ * lanes_at_a_time_ * block_size_);
    tiles_ = Buffer<float>(tile_count() * tile_size());
  }

  void run(float* dw) {
    const int64_t blocks = static_cast<int64_t>(blocks_.size());
#pragma omp parallel num_threads(threads_)
    {
#pragma omp for
      for (int64_t i = 0; i < static_cast<int64_t>(tiles_.size()); ++i) tiles_[i] = 0.0f;
#pragma omp for
      for (int64_t i = 0; i < g_.groups * lanes_.count; ++i) {
        each_weight(i / lanes_.count, i % lanes_.count, dw,
                    [](float& tile, float& weight) { tile = weight; });
      }
      for (int64_t image = 0; image < g_.batch; ++image) {
        for (int64_t group = 0; group < g_.groups; ++group) {
          for (int64_t first = 0; first < blocks; first += at_a_time_) {
            for (int64_t lanes = 0; lanes < lanes_.count; lanes += lanes_at_a_time_) {
              add_blocks(image, group,
                         {first, std::min(blocks, first + at_a_time_), lanes,
                          std::min(lanes_.count, lanes + lanes_at_a_time_)});
            }
          }
        }
      }
#pragma omp for
      for (int64_t i = 0; i < g_.groups * lanes_.count; ++i) {
        each_weight(i / lanes_.count, i % lanes_.count, dw,
                    [](float& tile, float& weight) { weight = tile; });
      }
    }
  }

 private:
  int64_t positions() const { return g_.out_height * g_.out_width; }
  int64_t tile_size() const { return kGradientRows * lanes_.pitch; }
  int64_t tile_count() const { return g_.groups * octets_ * g_.taps() * lanes_.count; }
  int64_t block_begin(int64_t b) const { return b == 0 ? 0 : blocks_[b - 1]; }
  // Output channels in a tile of lanes.
  int lanes_in(int64_t tile) const {
    return static_cast<int>(std::min<int64_t>(lanes_.pitch, g_.rows() - tile * lanes_.pitch));
  }
  float* tile(int64_t group, int64_t octet, int64_t tap, int64_t lane_tile) {
    return tiles_.data() +
           (((group * octets_ + octet) * g_.taps() + tap) * lanes_.count + lane_tile) * tile_size();
  }
  // Blocks and tiles of lanes that are at work together.
  struct Part {
    int64_t first_block, last_block, first_tile, last_tile;
  };
  float* gradient(const Part& part, int64_t block, int64_t lane_tile) {
    const int64_t tiles = part.last_tile - part.first_tile;
    return gradients_.data() +
           ((block - part.first_block) * tiles + lane_tile - part.first_tile) * block_size_;
  }

  // Every thread of the team takes part.
  void add_blocks(int64_t image, int64_t group, const Part& part) {
#pragma omp for collapse(2)
    for (int64_t b = part.first_block; b < part.last_block; ++b) {
      for (int64_t t = part.first_tile; t < part.last_tile; ++t) {
        const int64_t channel = group * g_.rows() + t * lanes_.pitch;
        const float* dy = dy_ + (image * g_.out_channels + channel) * positions() + block_begin(b);
        kernels_.transpose(dy, positions(), lanes_in(t), lanes_.pitch, blocks_[b] - block_begin(b),
                           gradient(part, b, t));
      }
    }
#pragma omp for schedule(dynamic, 1)
    for (int64_t i = 0; i < octets_ * g_.taps(); ++i) {
      add_to_tiles(image, group, i / g_.taps(), i % g_.taps(), part);
    }
  }

  void add_to_tiles(int64_t image, int64_t group, int64_t octet, int64_t tap, const Part& part) {
    const int64_t area = g_.in_height * g_.in_width, channel = octet * kGradientRows;
    const int rows = static_cast<int>(std::min<int64_t>(kGradientRows, g_.channels() - channel));
    const float* inputs[kGradientRows];
    for (int r = 0; r < rows; ++r) {
      inputs[r] = x_ + (image * g_.in_channels + group * g_.channels() + channel + r) * area;
    }
    const TapRuns& runs = taps_[tap];
    for (int64_t b = part.first_block; b < part.last_block; ++b) {
      const int64_t begin = b == 0 ? 0 : runs.end[b - 1], count = runs.end[b] - begin;
      if (count == 0) continue;
      for (int64_t t = part.first_tile; t < part.last_tile; ++t) {
        kernels_.accumulate(runs.runs.data() + begin, count, inputs, rows, g_.stride_width,
                            gradient(part, b, t), lanes_in(t), lanes_.pitch, tile(group, octet, tap, t));
      }
    }
  }

  // function(value in a tile, weight) for each weight of a tile of lanes.
  template <typename Function>
  void each_weight(int64_t group, int64_t lane_tile, float* dw, Function function) {
    for (int lane = 0; lane < lanes_in(lane_tile); ++lane) {
      float* weight = dw + (group * g_.rows() + lane_tile * lanes_.pitch + lane) * g_.depth();
      for (int64_t c = 0; c < g_.channels(); ++c) {
        const int64_t place = c % kGradientRows * lanes_.pitch + lane;
        for (int64_t tap = 0; tap < g_.taps(); ++tap) {
          function(tile(group, c / kGradientRows, tap, lane_tile)[place], *weight++);
        }
      }
    }
  }

  const ConvGeometry& g_;
  const WeightGradientKernels& kernels_;
  const float *x_, *dy_;
  const int threads_;
  const LaneTiles lanes_;
  const std::vector<int64_t> blocks_;
  const int64_t octets_;
  std::vector<TapRuns> taps_;
  int64_t at_a_time_ = 1, lanes_at_a_time_ = 1, block_size_ = 0;
  Buffer<float> gradients_, tiles_;
};

}  // namespace

void conv_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw, int threads) {
  if (small_weight_gradient_applies(g)) {
    small_weight_gradient(g, x, dy, dw, threads);
  } else {
    WeightGradient(g, x, dy, threads).run(dw);
  }
}
