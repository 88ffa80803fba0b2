// Depthwise convolution of planes taken as one long row each: where the stride is 1 and rows keep their
// length, every output is equally far from its inputs. For narrow planes, whose rows leave much of their last
// vector empty, and large rates, at which few output rows share input rows.
#pragma once

#include "conv/simd/depthwise_channel.h"

namespace ISA {
namespace {

class FlatPlanes {
 public:
  // Whether this is the way for g.
  static bool suit(const ConvGeometry& g) {
    const bool same = g.stride_height == 1 && g.stride_width == 1 && g.out_width == g.in_width;
    return same && (g.out_width <= kNarrow || kLeastRows * g.dilation_height > g.out_height);
  }

  explicit FlatPlanes(const ConvGeometry& g) : g_(g), outputs_(g.out_height * g.out_width) {
    const int64_t groups = (outputs_ + kTogether * kWidth - 1) / (kTogether * kWidth);
    inside_ = new uint16_t[static_cast<size_t>(groups * kTogether * g.taps())]();
    for (int64_t y = 0; y < g.out_height; ++y) {
      for (int64_t ky = 0; ky < g.kernel_height; ++ky) {
        const int64_t row = y + ky * g.dilation_height - g.pad_height;
        for (int64_t kx = 0; row >= 0 && row < g.in_height && kx < g.kernel_width; ++kx) {
          const int64_t shift = kx * g.dilation_width - g.pad_width, left = -shift,
                        right = g.in_width - shift;
          for (int64_t x = left < 0 ? 0 : left; x < right && x < g.out_width; ++x) {
            set_inside(y * g.out_width + x, ky * g.kernel_width + kx);
          }
        }
      }
    }
  }
  FlatPlanes(const FlatPlanes&) = delete;
  FlatPlanes& operator=(const FlatPlanes&) = delete;
  ~FlatPlanes() { delete[] inside_; }

  void convolve(const Channel& c) const {
    const bool three = g_.kernel_height == 3 && g_.kernel_width == 3;
    const uint16_t* inside = inside_;
    for (int64_t p = 0; p < outputs_; p += kTogether * kWidth, inside += kTogether * g_.taps()) {
      if (three) {
        outputs_from(p, inside, 3, 3, c);
      } else {
        outputs_from(p, inside, g_.kernel_height, g_.kernel_width, c);
      }
    }
  }

 private:
  static constexpr int kTogether = 2;  // vectors whose chains of fma hide each other's latency
  static constexpr int64_t kNarrow = 40;
  static constexpr int64_t kLeastRows = 8;  // that share inputs, for them to be worth another way
  static constexpr int64_t kAhead = 256;    // floats

  // The output at p has this tap inside the image. inside_: [group of vectors][tap][vector of the group], a
  // bit for each lane, in the order in which outputs_from reads.
  void set_inside(int64_t p, int64_t tap) {
    const int64_t vector = p / kWidth, group = vector / kTogether;
    uint16_t& lanes = inside_[(group * g_.taps() + tap) * kTogether + vector % kTogether];
    lanes = static_cast<uint16_t>(lanes | 1u << p % kWidth);
  }

  // The outputs from p on, as many as are summed together; inside: [tap][vector].
  inline __attribute__((always_inline)) void outputs_from(int64_t p, const uint16_t* inside,
                                                          int64_t kernel_height, int64_t kernel_width,
                                                          const Channel& c) const {
    Vector sum[1][kTogether];
#pragma GCC unroll 8
    for (int i = 0; i < kTogether; ++i) sum[0][i] = broadcast(0.0f);
    const int64_t area = g_.in_height * g_.in_width;
    int64_t first = p - g_.pad_height * g_.in_width;  // the input of the kernel row's middle
    const float* weight = c.weights;
#pragma GCC unroll 3
    for (int64_t ky = 0; ky < kernel_height; ++ky, first += c.row_step) {
      const bool some = first + kTogether * kWidth > 0 && first < area;
#pragma GCC unroll 3
      for (int64_t kx = 0; kx < kernel_width; ++kx, ++weight, inside += kTogether) {
        if (!some) continue;
        const float* x = c.x + first + kx * g_.dilation_width - g_.pad_width;
        const Vector w = broadcast(*weight);
#pragma GCC unroll 8
        for (int i = 0; i < kTogether; ++i) {
          sum[0][i] = fma_vector(w, load(x + i * kWidth, lanes_of(inside[i], 0)), sum[0][i]);
        }
      }
    }
    ask_for(c.x + first - c.row_step + kAhead, kTogether * kWidth);
    ask_for(c.y + c.offset + p + kAhead, kTogether * kWidth);
    finish(p, c, sum);
  }

  // Takes the sums through the steps and writes those that are there.
  inline __attribute__((always_inline)) void finish(int64_t p, const Channel& c,
                                                    Vector (&sum)[1][kTogether]) const {
    alignas(64) float others[kTogether * kWidth];
    int64_t count = outputs_ - p < kTogether * kWidth ? outputs_ - p : kTogether * kWidth;
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
  const int64_t outputs_;
  uint16_t* inside_;  // [outputs / (kTogether * kWidth)][tap][kTogether], a bit a lane
};

}  // namespace
}  // namespace ISA
