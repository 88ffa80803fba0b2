// Packing: what the lanes of a tile read, side by side.
#pragma once

#include "conv/simd/conv_tile.h"
#include "conv/simd/tile_size.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

// Vectors over `length` floats, no fewer than one has: copy(i) does kWidth of them from the i-th on. The last
// overlaps the one before, since masks are slower.
template <typename Copy>
HOST_DEVICE void by_vectors(int length, const Copy& copy) {
  for (int i = 0; i + kWidth <= length; i += kWidth) copy(i);
  copy(length - kWidth);
}

HOST_DEVICE void copy_vectors(int length, const float* source, float* target) {
  by_vectors(length, [=](int i) { store_vector(target + i, load(source + i)); });
}

// Every second float of `source`, `length` of them; nothing behind the last is read.
HOST_DEVICE void copy_even(int length, const float* source, float* target) {
  if (length < kWidth) {
    for (int i = 0; i < length; ++i) target[i] = source[2 * i];
    return;
  }
  by_vectors(length, [=](int i) {
    const float* from = source + 2 * i;
    store_vector(target + i, even_odd_lanes(load(from), load(from + kWidth - 1)));
  });
}

// Every stride-th float of `source`, of neighbours from `begin` to `end` (the others are zeros).
void copy_strided(const float* source, int64_t stride, int begin, int end, int length, float* target) {
  for (int i = 0; i < begin; ++i) target[i] = 0.0f;
  for (int i = end; i < length; ++i) target[i] = 0.0f;
  if (stride == 2) return copy_even(end - begin, source + 2 * begin, target + begin);
  for (int i = begin; i < end; ++i) target[i] = source[i * stride];
}

constexpr int kChannelsAhead = 16, kChannelsAheadOfRows = 4;  // to ask memory for

// One run of neighbours in memory, of `channels` channels, all in the image; no shorter than a vector.
HOST_DEVICE void pack_whole_run(int length, const float* source, int64_t plane, int64_t channels,
                                float* target, int64_t step) {
  for (int64_t c = 0; c < channels; ++c, source += plane, target += step) {
    for (int i = 0; i < length; i += 16) __builtin_prefetch(source + kChannelsAhead * plane + i);
    copy_vectors(length, source, target);
  }
}

// The same of any run; `vectors` of its vectors are full.
HOST_DEVICE void pack_run(const CopyRun& run, int vectors, const float* source, int64_t plane,
                          int64_t channels, float* target, int64_t step) {
  Mask inside[64 / kWidth + 1];
  for (int v = 0; v <= vectors; ++v) inside[v] = lanes_of(run.inside, v);
  const int rest = run.length - vectors * kWidth;
  const Mask lanes = lanes_between(0, rest);
  for (int64_t c = 0; c < channels; ++c, source += plane, target += step) {
    for (int i = 0; i < vectors * kWidth; i += 16) __builtin_prefetch(source + kChannelsAhead * plane + i);
    __builtin_prefetch(source + kChannelsAhead * plane + run.length);
    for (int v = 0; v < vectors; ++v) store_vector(target + v * kWidth, load(source + v * kWidth, inside[v]));
    if (rest) {
      const Vector last = load(source + vectors * kWidth, inside[vectors]);
      store_lanes(target + vectors * kWidth, lanes, last);
    }
  }
}

void pack(const CopyRun* runs, int64_t count, const float* first_channel, int64_t plane, int64_t channels,
          int64_t stride, float* packed, int64_t step) {
  for (const CopyRun* r = runs; r != runs + count; ++r) {
    const float* source = first_channel + r->source;
    float* target = packed + r->target;
    if (stride == 1) {
      const bool whole = r->inside == (uint64_t{1} << r->length) - 1 && r->length >= kWidth;
      if (whole && r->length == kLanes) {  // by far the most: unrolled
        pack_whole_run(kLanes, source, plane, channels, target, step);
      } else if (whole) {
        pack_whole_run(r->length, source, plane, channels, target, step);
      } else {
        pack_run(*r, r->length / kWidth, source, plane, channels, target, step);
      }
      continue;
    }
    const int begin = r->inside ? __builtin_ctzll(r->inside) : 0;
    const int end = r->inside ? 64 - __builtin_clzll(r->inside) : 0;
    for (int64_t c = 0; c < channels; ++c, source += plane, target += step) {
      for (int i = 0; i < r->length; i += 8) __builtin_prefetch(source + kChannelsAhead * plane + i * stride);
      copy_strided(source, stride, begin, end, r->length, target);
    }
  }
}

#if defined(ISA_AVX2) || defined(ISA_NEON)

// Rows of tiles, channel by channel: each lies in memory as one piece, which comes faster than its parts.
void pack_rows(const CopyRun* runs, int64_t count, const float* first_channel, int64_t plane,
               int64_t channels, float* packed, int64_t step) {
  for (int64_t c = 0; c < channels; ++c, first_channel += plane, packed += step) {
    for (const CopyRun* r = runs; r != runs + count; ++r) {
      const float* source = first_channel + r->source;
      float* target = packed + r->target;
      for (int i = 0; i < r->length; i += 16) __builtin_prefetch(source + kChannelsAheadOfRows * plane + i);
      if (r->inside == (uint64_t{1} << r->length) - 1 && r->length >= kWidth) {
        copy_vectors(r->length, source, target);
      } else {
        for (int v = 0; v * kWidth < r->length; ++v) {
          store_vector(target + v * kWidth, load(source + v * kWidth, lanes_of(r->inside, v)));
        }
      }
    }
  }
}

#else

constexpr auto pack_rows = nullptr;  // more of the nearest cache, or too few lanes

#endif

}  // namespace
}  // namespace ISA
