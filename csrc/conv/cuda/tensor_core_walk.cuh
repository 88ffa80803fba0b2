// How a block walks through a tile's sum: which output each row is, and which bytes of the input and of the
// weights each chunk takes.
#pragma once

#include "conv/tensor_core.h"
#include "platform/cuda/ptx.cuh"

__device__ __forceinline__ TensorCoreItem tile_item(const TensorCoreLaunch& launch, int number) {
  const int4* at = reinterpret_cast<const int4*>(launch.table) + 2 * number;
  const int4 a = __ldg(at), b = __ldg(at + 1);
  return {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
}

// The output that row `row` of a tile is, or image -1 behind the last one.
struct OutputPosition {
  int image, y, x;
};

__device__ __forceinline__ OutputPosition output_position(const TensorCoreLaunch& launch,
                                                          const TensorCoreBranch& conv,
                                                          const TensorCoreItem& item, int row) {
  const int position = item.first_position + row;
  if (position >= conv.batch * conv.out_height * conv.out_width) return {-1, 0, 0};
  const int32_t* region = launch.table + launch.regions_at + 5 * item.region;
  while (position >= __ldg(region + 5)) region += 5;
  const int height = __ldg(region + 3), width = __ldg(region + 4);
  const int local = position - __ldg(region);
  const int line = local / width, image = line / height;
  return {image, __ldg(region + 1) + line - image * height, __ldg(region + 2) + local - line * width};
}

// Its place among all outputs of a channel, or -1.
__device__ __forceinline__ int64_t output_index(const TensorCoreLaunch& launch, const TensorCoreBranch& conv,
                                                const TensorCoreItem& item, int row) {
  const OutputPosition out = output_position(launch, conv, item, row);
  if (out.image < 0) return -1;
  return (static_cast<int64_t>(out.image) * conv.out_height + out.y) * conv.out_width + out.x;
}

// Where a row's input lies: of tap (0, 0), which may be outside of the image.
struct InputRow {
  int base;        // in units
  int coordinate;  // row << 16 | column, both signed

  static __device__ __forceinline__ InputRow of(const TensorCoreBranch& conv, const OutputPosition& out,
                                                int group) {
    if (out.image < 0) return {0, INT32_MIN};  // row -2^15
    const int y = out.y * conv.stride_height - conv.pad_height,
              x = out.x * conv.stride_width - conv.pad_width;
    const int pixel = (out.image * conv.in_height + y) * conv.in_width + x;
    return {pixel * conv.pitch + group * conv.group_units, y << 16 | (x & 0xffff)};
  }
};

// One thread's share of gathering a tile's input, chunk by chunk: one unit of every kRowStep-th row.
template <int rows, int threads>
class InputGather {
 public:
  static constexpr int kRowStep = threads / kChunkUnits;
  static constexpr int kRows = rows / kRowStep;
  static_assert(rows % kRowStep == 0 && kRowStep % 8 == 0);

  // tile: the rows' InputRow.
  __device__ __forceinline__ void start(const TensorCoreLaunch& launch, const TensorCoreBranch& conv,
                                        const TensorCoreItem& item, const InputRow* tile, int thread) {
    const int unit = thread % kChunkUnits, row = thread / kChunkUnits;
#pragma unroll
    for (int i = 0; i < kRows; ++i) row_[i] = tile[row + i * kRowStep];
    target_ = row * kChunkBytes + ((unit ^ (row & 7)) * kUnitBytes);
    taps_ = launch.table + launch.taps_at + item.taps_at;
    taps_left_ = item.taps;
    unit_ = unit;
    find_tap(conv);
  }

  // Copies this thread's share of the next chunk to the tile at `to`.
  __device__ __forceinline__ void load(const TensorCoreBranch& conv, ptx::SharedAddress to) {
    const bool reached = taps_left_ > 0 && unit_ < conv.group_units;
    const int moved = (tap_y_ * conv.in_width + tap_x_) * conv.pitch + unit_;
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int y = (row_[i].coordinate >> 16) + tap_y_;
      const int x = static_cast<int16_t>(row_[i].coordinate) + tap_x_;
      const bool inside = reached && static_cast<unsigned>(y) < static_cast<unsigned>(conv.in_height) &&
                          static_cast<unsigned>(x) < static_cast<unsigned>(conv.in_width);
      // What is ignored may be any address.
      const int64_t offset = kIgnoreSource || inside ? row_[i].base + moved : 0;
      ptx::copy_async_16(to + target_ + i * kRowStep * kChunkBytes,
                         static_cast<const char*>(conv.x) + offset * kUnitBytes, !inside);
    }
    unit_ += kChunkUnits;
    find_tap(conv);
  }

 private:
  __device__ __forceinline__ void find_tap(const TensorCoreBranch& conv) {
    while (unit_ >= conv.period && taps_left_ > 0) {
      unit_ -= conv.period;
      ++taps_;
      --taps_left_;
    }
    const int tap = taps_left_ > 0 ? __ldg(taps_) : 0;
    tap_y_ = (tap >> 16) * conv.dilation_height;
    tap_x_ = (tap & 0xffff) * conv.dilation_width;
  }

  InputRow row_[kRows];
  ptx::SharedAddress target_;
  const int32_t* taps_;
  int taps_left_, unit_, tap_y_, tap_x_;
};

// The weights' chunks in the order of the walk.
class WeightWalk {
 public:
  __device__ __forceinline__ void start(const TensorCoreLaunch& launch, const TensorCoreBranch& conv,
                                        const TensorCoreItem& item) {
    taps_ = launch.table + launch.taps_at + item.taps_at;
    chunk_ = 0;
    first_ = static_cast<int64_t>(item.group) * conv.chunks;
    channel_ = item.first_channel;
  }

  // The next chunk's rows for the tile's channels, of one part.
  __device__ __forceinline__ const char* rows(const TensorCoreBranch& conv, int part) const {
    const int tap = __ldg(taps_), number = (tap >> 16) * conv.kernel_width + (tap & 0xffff);
    const int64_t chunk = static_cast<int64_t>(part) * conv.groups * conv.chunks + first_ +
                          number * conv.period_chunks + chunk_;
    return static_cast<const char*>(conv.weights) + (chunk * conv.padded_channels + channel_) * kChunkBytes;
  }

  __device__ __forceinline__ void advance(const TensorCoreBranch& conv) {
    if (++chunk_ == conv.period_chunks) {
      chunk_ = 0;
      ++taps_;
    }
  }

 private:
  const int32_t* taps_;
  int64_t first_;
  int chunk_, channel_;
};
