// Softmax and argmax over blocks of neighbouring positions: a position per vector lane, its labels in order.
#include "pixelwise/softmax.h"

namespace ISA {

namespace {

using Index = std::int64_t;

// Positions at a time: their running maxima and sums stay in the first-level cache.
constexpr Index kBlock = 512;

// The sums of `count` positions from number `begin` on, as label_sum has them.
void add_labels(const float* e, float* sum, Index channels, Index inner, Index begin, Index count) {
  alignas(64) float part[kBlock];
  const bool grouped = adds_groups(channels, inner);
#pragma omp simd
  for (Index i = 0; i < count; ++i) sum[i] = 0.0f;
  for (Index c = 0, size; c < channels; c += size) {
    size = label_group(channels - c, grouped);
    const float* from = e + c * inner;
#pragma omp simd
    for (Index i = 0; i < count; ++i) part[i] = from[i];
    for (Index k = 1; k < size; ++k) {
      from += inner;
#pragma omp simd
      for (Index i = 0; i < count; ++i) part[i] += from[i];
    }
#pragma omp simd
    for (Index i = 0; i < count; ++i) sum[i] += part[i];
  }
  if (!grouped) return;
  for (Index i = 0; i < count; ++i) {
    const LabelOrder order = label_order(begin + i, channels, inner);
    if (order != kGrouped) sum[i] = label_sum(e + i, channels, inner, order);
  }
}

void softmax_block(const float* x, float* y, Index channels, Index inner, Index begin, Index count) {
  alignas(64) float maximum[kBlock];
  alignas(64) float sum[kBlock];
#pragma omp simd
  for (Index i = 0; i < count; ++i) maximum[i] = x[i];
  for (Index c = 1; c < channels; ++c) {
    const float* from = x + c * inner;
#pragma omp simd
    for (Index i = 0; i < count; ++i) maximum[i] = maximum[i] < from[i] ? from[i] : maximum[i];
  }
  for (Index c = 0; c < channels; ++c) {
    const float* from = x + c * inner;
    float* to = y + c * inner;
#pragma omp simd
    for (Index i = 0; i < count; ++i) to[i] = exact_expf(from[i] - maximum[i]);
  }
  add_labels(y, sum, channels, inner, begin, count);
  for (Index c = 0; c < channels; ++c) {
    float* to = y + c * inner;
#pragma omp simd
    for (Index i = 0; i < count; ++i) to[i] /= sum[i];
  }
}

void best_block(const float* x, float* labels, float* values, Index channels, Index inner, Index count) {
#pragma omp simd
  for (Index i = 0; i < count; ++i) {
    labels[i] = 0.0f;
    values[i] = x[i];
  }
  for (Index c = 1; c < channels; ++c) {
    const float* from = x + c * inner;
    const float label = static_cast<float>(c);
#pragma omp simd
    for (Index i = 0; i < count; ++i) {
      const bool better = from[i] >= values[i];
      labels[i] = better ? label : labels[i];
      values[i] = better ? from[i] : values[i];
    }
  }
}

// block(first position, number of positions, outer index) for all positions.
template <typename Block>
inline void each_block(Index outer, Index inner, int threads, Block block) {
  const Index blocks = (inner + kBlock - 1) / kBlock;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (Index task = 0; task < outer * blocks; ++task) {
    const Index begin = task % blocks * kBlock;
    block(task / blocks, begin, begin + kBlock < inner ? kBlock : inner - begin);
  }
}

}  // namespace

void softmax(const float* x, float* y, Index outer, Index channels, Index inner, int threads) {
  each_block(outer, inner, threads, [=](Index o, Index begin, Index count) {
    const Index at = o * channels * inner + begin;
    softmax_block(x + at, y + at, channels, inner, begin, count);
  });
}

void argmax(const float* x, float* labels, float* values, Index outer, Index channels, Index inner,
            Index top_k, int threads) {
  each_block(outer, inner, threads, [=](Index o, Index begin, Index count) {
    const float* from = x + o * channels * inner + begin;
    const Index to = o * top_k * inner + begin;
    if (top_k == 1) {
      best_block(from, labels + to, values + to, channels, inner, count);
    } else {
      for (Index i = 0; i < count; ++i) {
        argmax_point(from + i, labels + to + i, values + to + i, channels, inner, top_k);
      }
    }
  });
}

}  // namespace ISA
