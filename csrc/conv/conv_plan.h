// The geometry of a convolution and the plan of its work: which taps meet the image where, cut into tasks.
// Nothing here touches data, so the plan is tested on its own.
#pragma once

#include <cstdint>
#include <vector>

constexpr int kConvRows = 8;  // output channels in a tile

// a / b, rounded up, for a >= 0.
static inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr int kDepthwiseTaps = 448;  // more would be several blocks of the reduction

struct ConvGeometry {
  int64_t batch, groups;
  int64_t in_channels, in_height, in_width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel_height, kernel_width, stride_height, stride_width;
  // The padding before; negative where the outputs start further down (see ops.RowBand).
  int64_t pad_height, pad_width, dilation_height, dilation_width;
  // From one channel to the next, in floats: more or less than the area where x or y hold other rows.
  int64_t in_plane, out_plane;
  // The sum runs over the taps from last to first, and of each over the channels: see conv_gradient.h.
  bool taps_first = false;

  int64_t taps() const { return kernel_height * kernel_width; }
  int64_t depth() const { return in_channels / groups * taps(); }  // K
  int64_t channels() const { return in_channels / groups; }
  int64_t rows() const { return out_channels / groups; }  // M
  // One input channel a group, and a sum short enough for one block: a kernel of its own.
  bool depthwise() const { return in_channels == groups && taps() <= kDepthwiseTaps; }
  int64_t row_tiles() const { return divide_up(rows(), kConvRows); }
};

// Length of the block that starts where `rest` (> 0) of K is left.
inline int64_t reduction_block(int64_t rest) {
  constexpr int64_t kQ = 448;
  if (rest >= 2 * kQ) return kQ;
  if (rest > kQ) return (rest / 2 + 15) / 16 * 16;
  return rest;
}

// Consecutive output rows (or columns) and the kernel rows (columns) that reach the image from at least one
// of them.
struct TapInterval {
  int64_t begin, end;
  std::vector<int> taps;
};

// Cuts 0..out into intervals whose outputs see the same taps. Cuts that would save fewer than `worth` output
// positions' work (each output here standing for `extent` positions), or leave an interval shorter than
// `shortest`, are not made.
std::vector<TapInterval> tap_intervals(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                                       int64_t dilation, int64_t extent, int64_t worth, int64_t shortest);

// Multiply-adds of one image that the plan performs (padding taps left out), over all output channels.
int64_t planned_multiply_adds(const ConvGeometry& g);

// Output positions that share their taps: rows x columns of every image of the batch, numbered image by
// image.
struct Region {
  TapInterval rows, columns;
  std::vector<int32_t> k;          // the k that take part, in order, of one channel group
  std::vector<int64_t> block_end;  // for each block of the reduction, how many of `k` lie before its end

  int64_t height() const { return rows.end - rows.begin; }
  int64_t width() const { return columns.end - columns.begin; }
  int64_t positions(int64_t batch) const { return batch * height() * width(); }
};

enum class Cuts {
  worthwhile,  // those that save enough work
  whole_rows,  // of them, only those between rows
  all          // every output of a region sees all of its taps
};

// The regions of all outputs, those with the most taps first.
std::vector<Region> make_regions(const ConvGeometry& g, Cuts cuts);

// What one thread does at a time: some positions of a region for some row tiles of a group.
struct Task {
  const Region* region;
  int64_t group, first_tile, last_tile;
  int64_t first, last;  // positions of the region
};

// Tasks of falling size: large ones reuse the weights best, small ones at the end even out the threads.
// lanes: output positions in a tile; row_tiles: a task's first row tile is a multiple of that.
std::vector<Task> make_tasks(const ConvGeometry& g, const std::vector<Region>& regions, int lanes,
                             int threads, int64_t row_tiles = 1);

// A run of neighbouring outputs of one row.
struct Run {
  int64_t image, y, x;
  int32_t position, length;  // position within the task
};

// The task's outputs as runs that cross neither a row of the image nor a tile of `lanes` positions.
std::vector<Run> make_runs(const Task& task, int lanes);
