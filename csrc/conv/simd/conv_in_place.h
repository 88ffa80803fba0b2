// Convolution of few output channels: packing the inputs would cost more than summing them does.
#pragma once

#include "conv/simd/conv_pack.h"
#include "conv/simd/conv_tile.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

#ifdef ISA_AVX512

// A tap at one vector of lanes: where its input and weights are in channel 0, its number, and the lanes that
// lie in the image.
struct TapInPlace {
  int64_t input, weight, number;
  Mask inside;
};

// One vector of lanes of `tiles` row tiles, all sums in registers; weights and sums: of the first of the
// tiles.
template <int tiles>
HOST_DEVICE void accumulate_vector(const InPlace& in, const TapInPlace* taps, int count, int64_t begin,
                                   int64_t end, bool first, float* sums, int64_t sum_step) {
  constexpr int kAhead = 2 * kWidth;  // floats
  constexpr int rows = tiles * kConvRows;
  Vector sum[rows];
#pragma GCC unroll 24
  for (int r = 0; r < rows; ++r) sum[r] = broadcast(0.0f);
  const auto add = [&](const TapInPlace& tap, const float* channel, const float* weights) {
    const float *from = channel + tap.input, *w = weights + tap.weight;
    __builtin_prefetch(from + kAhead);
    const Vector x = load(from, tap.inside);
#pragma GCC unroll 24
    for (int r = 0; r < rows; ++r) {
      const Vector weight = broadcast(w[r / kConvRows * in.row_tile_step + r % kConvRows]);
      sum[r] = fma_vector(weight, x, sum[r]);
    }
  };
  for (int64_t c = begin / in.taps; c * in.taps < end; ++c) {
    const float* channel = in.first_channel + c * in.plane;
    const float* weights = in.weights + c * in.weights_of_channel;
    if (c * in.taps >= begin && (c + 1) * in.taps <= end) {
      for (int i = 0; i < count; ++i) add(taps[i], channel, weights);
    } else {
      for (int i = 0; i < count; ++i) {
        const int64_t k = c * in.taps + taps[i].number;
        if (k >= begin && k < end) add(taps[i], channel, weights);
      }
    }
  }
#pragma GCC unroll 24
  for (int r = 0; r < rows; ++r) {
    float* to = sums + r / kConvRows * sum_step + r % kConvRows * kLanes;
    store_vector(to, first ? sum[r] : load(to) + sum[r]);
  }
}

void accumulate_in_place(const InPlace& in, int64_t begin, int64_t end, int lanes, bool first, float* sums,
                         int64_t sum_step) {
  for (int lane = 0; lane < lanes; lane += kWidth) {
    TapInPlace taps[InPlace::kMostTaps];
    int count = 0;
    for (int64_t t = 0; t < in.taps; ++t) {
      const CopyRun& run = in.runs[t * in.run_step];
      const Mask inside = lanes_of(run.inside, lane / kWidth);
      if (inside != 0) taps[count++] = {run.source + lane, in.weight[t] * kConvRows, t, inside};
    }
    if (in.row_tiles == 3) {
      accumulate_vector<3>(in, taps, count, begin, end, first, sums + lane, sum_step);
    } else if (in.row_tiles == 2) {
      accumulate_vector<2>(in, taps, count, begin, end, first, sums + lane, sum_step);
    } else {
      accumulate_vector<1>(in, taps, count, begin, end, first, sums + lane, sum_step);
    }
  }
}

#else

constexpr auto accumulate_in_place = nullptr;  // too few registers

#endif

}  // namespace
}  // namespace ISA
