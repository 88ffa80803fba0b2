#include "conv/conv_weights.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <new>

namespace {

// The row tiles of all groups, in the order of both layouts.
struct Tile {
  int64_t first_row, rows;  // of the plain weights

  Tile(const ConvGeometry& g, int64_t number) {
    const int64_t row = number % g.row_tiles() * kConvRows;
    first_row = number / g.row_tiles() * g.rows() + row;
    rows = std::min<int64_t>(kConvRows, g.rows() - row);
  }
};

int64_t tile_count(const ConvGeometry& g) { return g.groups * g.row_tiles(); }

// plain [rows][depth] -> packed [depth][kConvRows]
void pack_tile(const float* plain, int64_t rows, int64_t depth, float* packed) {
  if (rows < kConvRows) {
    for (int64_t k = 0; k < depth; ++k, packed += kConvRows) {
      for (int64_t r = 0; r < kConvRows; ++r) packed[r] = r < rows ? plain[r * depth + k] : 0.0f;
    }
    return;
  }
  for (int64_t k = 0; k < depth; ++k, packed += kConvRows) {
    for (int64_t r = 0; r < kConvRows; ++r) packed[r] = plain[r * depth + k];
  }
}

bool read_floats(int file, int64_t offset, int64_t count, float* values) {
  char* target = reinterpret_cast<char*>(values);
  for (int64_t rest = count * static_cast<int64_t>(sizeof(float)); rest > 0;) {
    const ssize_t got = pread(file, target, static_cast<size_t>(rest), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    target += got, offset += got, rest -= got;
  }
  return true;
}

}  // namespace

int64_t packed_weights_size(const ConvGeometry& g) {
  if (g.depthwise()) return g.out_channels * g.taps();
  return tile_count(g) * g.depth() * kConvRows;
}

void pack_weights(const ConvGeometry& g, const float* weights, float* packed, int threads) {
  if (g.depthwise()) {
    std::copy(weights, weights + packed_weights_size(g), packed);
    return;
  }
  const int64_t depth = g.depth();
#pragma omp parallel for num_threads(threads)
  for (int64_t t = 0; t < tile_count(g); ++t) {
    const Tile tile(g, t);
    pack_tile(weights + tile.first_row * depth, tile.rows, depth, packed + t * depth * kConvRows);
  }
}

void unpack_weights(const ConvGeometry& g, const float* packed, float* weights, int threads) {
  if (g.depthwise()) {
    std::copy(packed, packed + packed_weights_size(g), weights);
    return;
  }
  const int64_t depth = g.depth();
#pragma omp parallel for num_threads(threads)
  for (int64_t t = 0; t < tile_count(g); ++t) {
    const Tile tile(g, t);
    for (int64_t r = 0; r < tile.rows; ++r) {
      const float* from = packed + t * depth * kConvRows + r;
      float* row = weights + (tile.first_row + r) * depth;
      for (int64_t k = 0; k < depth; ++k) row[k] = from[k * kConvRows];
    }
  }
}

bool read_packed_weights(const ConvGeometry& g, int file, int64_t offset, float* packed, int threads) {
  if (g.depthwise()) return read_floats(file, offset, packed_weights_size(g), packed);
  const int64_t depth = g.depth();
  std::atomic<bool> whole{true}, out_of_memory{false};
#pragma omp parallel num_threads(threads)
  {
    // A tile's weights lie in one piece in both layouts, so one at a time goes through the cache. Its memory
    // is kept from call to call.
    static thread_local std::unique_ptr<float[]> plain;
    static thread_local int64_t size = 0;
    if (size < depth * kConvRows) {
      size = depth * kConvRows;
      plain.reset(new (std::nothrow) float[size]);
      if (!plain) out_of_memory = true, size = 0;
    }
#pragma omp for schedule(dynamic, 1)
    for (int64_t t = 0; t < tile_count(g); ++t) {
      if (!whole || out_of_memory) continue;
      const Tile tile(g, t);
      const int64_t at = offset + tile.first_row * depth * static_cast<int64_t>(sizeof(float));
      if (!read_floats(file, at, tile.rows * depth, plain.get())) {
        whole = false;
        continue;
      }
      pack_tile(plain.get(), tile.rows, depth, packed + t * depth * kConvRows);
    }
  }
  if (out_of_memory) throw std::bad_alloc();
  return whole;
}
