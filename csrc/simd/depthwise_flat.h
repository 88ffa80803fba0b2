// Depthwise convolution of planes taken as one long row each: where the stride is 1 and rows keep their
// length, every output is equally far from its inputs. For large rates, at which few output rows share input
// rows.
#pragma once

#include "depthwise_channel.h"

namespace ISA {
namespace {

// The lanes from `first` on, up to `end`, as bits.
HOST_DEVICE uint32_t bits_between(int64_t first, int64_t end) {
  const auto lane = [](int64_t i) { return i < 0 ? 0 : i > kWidth ? kWidth : i; };
  return first < end ? (1u << lane(end)) - (1u << lane(first)) : 0;
}

class FlatPlanes {
 public:
  // Whether this is the way for g.
  static bool suit(const ConvGeometry& g) {
    const bool same = g.stride_height == 1 && g.stride_width == 1 && g.out_width == g.in_width;
    return same && kLeastRows * g.dilation_height > g.out_height;
  }

  explicit FlatPlanes(const ConvGeometry& g)
      : g_(g), columns_(new uint32_t[static_cast<size_t>(g.kernel_width * g.in_width)]) {
    for (int64_t kx = 0; kx < g.kernel_width; ++kx) {
      for (int64_t x = 0; x < g.in_width; ++x) {
        uint32_t bits = 0;
        for (int i = 0; i < kWidth; ++i) {
          const int64_t column = (x + i) % g.in_width + kx * g.dilation_width - g.pad_width;
          if (column >= 0 && column < g.in_width) bits |= 1u << i;
        }
        columns_[kx * g.in_width + x] = bits;
      }
    }
  }
  FlatPlanes(const FlatPlanes&) = delete;
  FlatPlanes& operator=(const FlatPlanes&) = delete;
  ~FlatPlanes() { delete[] columns_; }

  void convolve(const Channel& c) const {
    const bool three = g_.kernel_height == 3 && g_.kernel_width == 3;
    const int64_t outputs = g_.out_height * g_.out_width;
    int64_t column = 0;
    for (int64_t p = 0; p < outputs; p += kTogether * kWidth) {
      if (three) {
        outputs_from(p, column, outputs - p, 3, 3, c);
      } else {
        outputs_from(p, column, outputs - p, g_.kernel_height, g_.kernel_width, c);
      }
      column = (column + kTogether * kWidth) % g_.in_width;
    }
  }

 private:
  static constexpr int kTogether = 2;       // vectors
  static constexpr int64_t kLeastRows = 8;  // that share inputs, for them to be worth another way
  static constexpr int64_t kAhead = 256;    // floats

  // The first `count` outputs from p on, or as many as are summed together.
  inline __attribute__((always_inline)) void outputs_from(int64_t p, int64_t column, int64_t count,
                                                          int64_t kernel_height, int64_t kernel_width,
                                                          const Channel& c) const {
    const int64_t width = g_.in_width, area = g_.in_height * width;
    Vector sum[1][kTogether];
    int64_t columns[kTogether];
#pragma GCC unroll 8
    for (int i = 0; i < kTogether; ++i) {
      sum[0][i] = broadcast(0.0f);
      columns[i] = (column + i * kWidth) % width;
    }
    int64_t first = p - g_.pad_height * width;  // the input straight above, or below, in the kernel's row
    const float* weight = c.weights;
#pragma GCC unroll 3
    for (int64_t ky = 0; ky < kernel_height; ++ky, first += c.row_step, weight += kernel_width) {
      if (first + kTogether * kWidth <= 0 || first >= area) continue;
      uint32_t rows[kTogether];
#pragma GCC unroll 8
      for (int i = 0; i < kTogether; ++i)
        rows[i] = bits_between(-first - i * kWidth, area - first - i * kWidth);
#pragma GCC unroll 3
      for (int64_t kx = 0; kx < kernel_width; ++kx) {
        const float* x = c.x + first + kx * g_.dilation_width - g_.pad_width;
        const Vector w = broadcast(weight[kx]);
#pragma GCC unroll 8
        for (int i = 0; i < kTogether; ++i) {
          const Mask inside = lanes_of(rows[i] & columns_[kx * width + columns[i]], 0);
          sum[0][i] = fma_vector(w, load(x + i * kWidth, inside), sum[0][i]);
        }
      }
    }
    ask_for(c.x + first - c.row_step + kAhead, kTogether * kWidth);
    ask_for(c.y + c.offset + p + kAhead, kTogether * kWidth);
    finish(p, count, c, sum);
  }

  // Takes the sums through the steps and writes those that are there.
  inline __attribute__((always_inline)) void finish(int64_t p, int64_t count, const Channel& c,
                                                    Vector (&sum)[1][kTogether]) const {
    alignas(64) float others[kTogether * kWidth];
    if (count > kTogether * kWidth) count = kTogether * kWidth;
    for (int64_t s = 0; s < c.step_count; ++s) {
      if (c.steps[s].kind == EpilogueStep::kSum) copy_floats(c.steps[s].a + c.offset + p, count, others);
      apply_step(c.steps[s], c.number, others, sum);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kTogether; ++i, count -= kWidth) {
      float* y = c.y + c.offset + p + i * kWidth;
      if (count >= kWidth) {
        store_vector(y, sum[0][i]);
      } else {
        store_lanes(y, lanes_between(0, static_cast<int>(count)), sum[0][i]);
      }
    }
  }

  const ConvGeometry& g_;
  uint32_t*
      columns_;  // [kernel_width][in_width]: which of the outputs from here on have this tap in their row
};

}  // namespace
}  // namespace ISA
