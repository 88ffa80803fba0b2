// The embedding of one point, and its vertices' keys in 64-bit words: what a device thread does. The CPU
// embeds kLanes points side by side (crf/simd/lattice_kernel.cpp) with the same functions of lattice.h.
#pragma once

#include <cstdint>

#include "crf/lattice.h"

// What a thread keeps in registers.
constexpr int kMaxDeviceDims = 16;

template <int D>
struct Simplex {
  int remainder_0[D + 1], rank[D + 1];
  float weight[D + 1];  // of each vertex
};

// False if a key would leave 16 bits.
template <int D>
HOST_DEVICE bool embed_point(const float (&features)[D], const float* scales, Simplex<D>& out) {
  float elevated[D + 1], difference[D + 1], total = 0;
#pragma unroll
  for (int j = D; j >= 1; --j) elevated[j] = elevate(features[j - 1], scales[j - 1], j, total);
  elevated[0] = total;

  const float inverse = 1.0f / static_cast<float>(D + 1);
  int sum = 0;
  bool all_fit = true;
#pragma unroll
  for (int i = 0; i <= D; ++i) {
    const float nearest = nearest_multiple(elevated[i], inverse);
    const float remainder_0 = nearest * static_cast<float>(D + 1);
    const bool fits = key_fits(remainder_0, D);
    all_fit = all_fit && fits;
    difference[i] = elevated[i] - remainder_0;
    out.remainder_0[i] = static_cast<int>(fits ? remainder_0 : 0.0f);
    sum += static_cast<int>(fits ? nearest : 0.0f);
    out.rank[i] = 0;
  }
#pragma unroll
  for (int i = 0; i < D; ++i) {
#pragma unroll
    for (int j = i + 1; j <= D; ++j) {
      const int lower = difference[i] < difference[j];
      out.rank[i] += lower;
      out.rank[j] += 1 - lower;
    }
  }

  float by_rank[D + 1];
#pragma unroll
  for (int k = 0; k <= D; ++k) by_rank[k] = 0;
#pragma unroll
  for (int i = 0; i <= D; ++i) {
    int shift;
    out.rank[i] = wrap_rank(out.rank[i] + sum, D, shift);
    out.remainder_0[i] += shift;
    const float t = (elevated[i] - static_cast<float>(out.remainder_0[i])) * inverse;
#pragma unroll
    for (int k = 0; k <= D; ++k) by_rank[k] = out.rank[i] == k ? t : by_rank[k];
  }
  out.weight[0] = first_weight(by_rank[D], by_rank[0]);
#pragma unroll
  for (int k = 1; k <= D; ++k) out.weight[k] = by_rank[D - k] - by_rank[D - k + 1];
  return all_fit;
}

// Words of a key: 16 bits a coordinate, and the last 32 bits for the image, so that one table serves many.
HOST_DEVICE constexpr int key_words(int d) { return (16 * d + 32 + 63) / 64; }

template <int W>
struct VertexKey {
  std::uint64_t word[W];
};

template <int W>
HOST_DEVICE bool same_key(const VertexKey<W>& a, const VertexKey<W>& b) {
  std::uint64_t difference = 0;
#pragma unroll
  for (int w = 0; w < W; ++w) difference |= a.word[w] ^ b.word[w];
  return difference == 0;
}

template <int W>
HOST_DEVICE std::uint32_t hash_key(const VertexKey<W>& key) {
  std::uint64_t h = 0;
#pragma unroll
  for (int w = 0; w < W; ++w) {
    h = (h ^ key.word[w]) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  }
  return static_cast<std::uint32_t>(h >> 16);
}

template <int W>
HOST_DEVICE void add_coordinate(VertexKey<W>& key, int i, int coordinate) {
  key.word[i / 4] |= static_cast<std::uint64_t>(static_cast<std::uint16_t>(coordinate)) << 16 * (i % 4);
}

// The key of vertex r (0..D) of a point's simplex.
template <int D>
HOST_DEVICE VertexKey<key_words(D)> vertex_key(const Simplex<D>& simplex, int r, std::uint32_t image) {
  VertexKey<key_words(D)> key{};
  key.word[key_words(D) - 1] = static_cast<std::uint64_t>(image) << 32;
#pragma unroll
  for (int i = 0; i < D; ++i) {
    add_coordinate(key, i, vertex_coordinate(simplex.remainder_0[i], simplex.rank[i], r, D));
  }
  return key;
}

// The key one step back along `axis`.
template <int D>
HOST_DEVICE VertexKey<key_words(D)> previous_key(const VertexKey<key_words(D)>& key, int axis) {
  VertexKey<key_words(D)> previous{};
  previous.word[key_words(D) - 1] = key.word[key_words(D) - 1] >> 32 << 32;
#pragma unroll
  for (int i = 0; i < D; ++i) {
    const int coordinate = static_cast<std::int16_t>(key.word[i / 4] >> 16 * (i % 4));
    add_coordinate(previous, i, previous_coordinate(coordinate, i, axis, D));
  }
  return previous;
}
