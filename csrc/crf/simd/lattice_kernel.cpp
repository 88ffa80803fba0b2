// Embedding, splat, blur and slice: plain loops over lanes or labels, which the compiler vectorises.
#include <algorithm>
#include <cstring>

#include "crf/simd/links.h"

namespace ISA {
namespace {

typedef std::int16_t Shorts __attribute__((vector_size(16)));
typedef std::int32_t Ints __attribute__((vector_size(32)));

// to[lane][i] = from[i][lane] for i < d, and 0 up to 8 where d is a constant D.
template <int D>
inline __attribute__((always_inline)) void lanes_to_rows(const int (*from)[kLanes], int d,
                                                         std::int16_t (*to)[kMaxLaneDims]) {
  if constexpr (D == 0) {
    for (int i = 0; i < d; ++i) {
      for (int l = 0; l < kLanes; ++l) to[l][i] = static_cast<std::int16_t>(from[i][l]);
    }
  } else {
    static_assert(D <= 8, "a row is a vector");
    for (int lane = 0; lane < kLanes; lane += 8) {
      // Row j of three steps that each take elements from rows j and j + 4 in turn.
      Shorts rows[8] = {}, mixed[8];
      for (int i = 0; i < D; ++i) {
        Ints column;
        std::memcpy(&column, from[i] + lane, sizeof column);
        rows[i] = __builtin_convertvector(column, Shorts);
      }
      for (int step = 0; step < 3; ++step) {
        for (int j = 0; j < 4; ++j) {
          mixed[2 * j] = __builtin_shufflevector(rows[j], rows[j + 4], 0, 8, 1, 9, 2, 10, 3, 11);
          mixed[2 * j + 1] = __builtin_shufflevector(rows[j], rows[j + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        std::copy(mixed, mixed + 8, rows);
      }
      for (int l = 0; l < 8; ++l) std::memcpy(to[lane + l], &rows[l], sizeof rows[l]);
    }
  }
}

// `D` is d where the compiler may unroll (position: 2, position and colour: 5), else 0.
template <int D>
bool embed(const float* features, std::size_t plane, int dims, const float* scales, EmbeddedBlock& out) {
  const int d = D ? D : dims;
  constexpr int kSize = D ? D : kMaxLaneDims;
  alignas(64) float e[kSize + 1][kLanes], difference[kSize + 1][kLanes];
  alignas(64) int remainder_0[kSize + 1][kLanes], rank[kSize + 1][kLanes], sum[kLanes];
  alignas(64) float total[kLanes];
  for (int l = 0; l < kLanes; ++l) total[l] = 0, sum[l] = 0;
  for (int j = d; j >= 1; --j) {
    const float* f = features + (j - 1) * plane;
    for (int l = 0; l < kLanes; ++l) e[j][l] = elevate(f[l], scales[j - 1], j, total[l]);
  }
  for (int l = 0; l < kLanes; ++l) e[0][l] = total[l];

  const float inverse = 1.0f / static_cast<float>(d + 1);
  alignas(64) int outside[kLanes] = {};
  for (int i = 0; i <= d; ++i) {
    for (int l = 0; l < kLanes; ++l) {
      const float v = nearest_multiple(e[i][l], inverse);
      const float r = v * static_cast<float>(d + 1);
      const bool fits = key_fits(r, d);  // the conversion below sees 0 if not
      outside[l] |= fits ? 0 : 1;
      difference[i][l] = e[i][l] - r;
      remainder_0[i][l] = static_cast<int>(fits ? r : 0.0f);
      sum[l] += static_cast<int>(fits ? v : 0.0f);
      rank[i][l] = 0;
    }
  }
  int any_outside = 0;
  for (int l = 0; l < kLanes; ++l) any_outside |= outside[l];
  if (any_outside) return false;

  for (int i = 0; i < d; ++i) {
    for (int j = i + 1; j <= d; ++j) {
      for (int l = 0; l < kLanes; ++l) {
        const int lower = difference[i][l] < difference[j][l];
        rank[i][l] += lower;
        rank[j][l] += 1 - lower;
      }
    }
  }
  for (int i = 0; i <= d; ++i) {
    for (int l = 0; l < kLanes; ++l) {
      int shift;
      rank[i][l] = wrap_rank(rank[i][l] + sum[l], d, shift);
      remainder_0[i][l] += shift;
    }
  }
  // Barycentric coordinates (p. 4) are differences of neighbours in rank order.
  alignas(64) float by_rank[kSize + 1][kLanes];
  for (int k = 0; k <= d; ++k) {
    for (int l = 0; l < kLanes; ++l) by_rank[k][l] = 0;
  }
  for (int i = 0; i <= d; ++i) {
    alignas(64) float t[kLanes];
    for (int l = 0; l < kLanes; ++l) t[l] = (e[i][l] - static_cast<float>(remainder_0[i][l])) * inverse;
    for (int k = 0; k <= d; ++k) {
      for (int l = 0; l < kLanes; ++l) by_rank[k][l] = rank[i][l] == k ? t[l] : by_rank[k][l];
    }
  }
  for (int l = 0; l < kLanes; ++l) out.weight[0][l] = first_weight(by_rank[d][l], by_rank[0][l]);
  for (int k = 1; k <= d; ++k) {
    for (int l = 0; l < kLanes; ++l) out.weight[k][l] = by_rank[d - k][l] - by_rank[d - k + 1][l];
  }
  lanes_to_rows<D>(remainder_0, d, out.remainder_0);
  lanes_to_rows<D>(rank, d, out.rank);
  return true;
}

}  // namespace

bool embed_block(const float* features, std::size_t plane, int d, const float* scales, EmbeddedBlock& out) {
  return d == 2   ? embed<2>(features, plane, d, scales, out)
         : d == 5 ? embed<5>(features, plane, d, scales, out)
                  : embed<0>(features, plane, d, scales, out);
}

void splat_pixels(const Link* links, int degree, unsigned first_vertex, std::size_t first, std::size_t last,
                  const float* q, std::size_t q_stride, std::size_t row, const float* pre, float* values) {
  with_links(links, degree, first, [&](const auto& own) {
    for_labels<0>(row, [&](std::size_t label, auto vectors) {
      for (std::size_t p = first; p < last; ++p) {
        Vec value[decltype(vectors)::value];
        load_row(q + p * q_stride + label, value);
        splat(own, p - first, first_vertex, Factor{broadcast_row(pre ? pre[p] : 1.0f)}, row, value,
              values + label);
      }
    });
  });
}

void splat_lists(const unsigned* starts, const Link* list, std::size_t first, std::size_t last,
                 const float* q, std::size_t q_stride, std::size_t row, const float* pre, float* values) {
  constexpr std::size_t kAhead = 24;
  const Link* const end = list + starts[last];
  for_labels<0>(row, [&](std::size_t label, auto vectors) {
    constexpr int kVectors = decltype(vectors)::value;
    for (std::size_t v = first; v < last; ++v) {
      if (starts[v] == starts[v + 1]) continue;
      Vec sum[kVectors];
      load_row(values + v * row + label, sum);
      for (const Link* link = list + starts[v]; link < list + starts[v + 1]; ++link) {
        const Link* ahead = link + kAhead < end ? link + kAhead : link;
        const float* soon = q + ahead->index * q_stride + label;
        __builtin_prefetch(soon);
        if (kVectors > 1) __builtin_prefetch(soon + kVectors * kRow - 1);
        const float* of_pixel = q + link->index * q_stride + label;
        const float weight = pre ? link->weight * pre[link->index] : link->weight;
#pragma GCC unroll 4
        for (int g = 0; g < kVectors; ++g) sum[g] += weight * load_row(of_pixel + g * kRow);
      }
      store_row(values + v * row + label, sum);
    }
  });
}

void blur_vertices(const unsigned (*neighbours)[2], std::size_t first, std::size_t last, std::size_t row,
                   std::size_t first_label, std::size_t last_label, const float* from, float* to) {
  for_labels<0>(last_label - first_label, [&](std::size_t label, auto vectors) {
    constexpr int kVectors = decltype(vectors)::value;
    const float* const column = from + first_label + label;
    for (std::size_t v = first; v < last; ++v) {
      const float* previous = row_of(column, neighbours[v][0], row);
      const float* next = row_of(column, neighbours[v][1], row);
      Vec value[kVectors];
      load_row(column + v * row, value);
#pragma GCC unroll 4
      for (int g = 0; g < kVectors; ++g) {
        value[g] = value[g] + 0.5f * (load_row(previous + g * kRow) + load_row(next + g * kRow));
      }
      store_row(to + v * row + first_label + label, value);
    }
  });
}

void slice_pixels(const Link* links, int degree, float gain, std::size_t first, std::size_t last,
                  std::size_t labels, const float* values, float* out) {
  const std::size_t row = padded_labels(labels);
  const Vec gains = broadcast_row(gain);
  with_links(links, degree, first, [&](const auto& own) {
    for (std::size_t p = first; p < last; ++p) {
      const bool whole =
          p * labels + row <= last * labels;  // what runs over is the next pixel's, which follows
      for_labels<0>(row, [&](std::size_t label, auto vectors) {
        Vec sum[decltype(vectors)::value];
        slice(own, p - first, gains, row, values + label, sum);
        float* to = out + p * labels + label;
        if (whole) {
          store_row(to, sum);
        } else {
          constexpr std::size_t kFloats = decltype(vectors)::value * kRow;
          float padded[kFloats];
          store_row(padded, sum);
          for (std::size_t l = 0; l < kFloats && label + l < labels; ++l) to[l] = padded[l];
        }
      });
    }
  });
}

}  // namespace ISA
