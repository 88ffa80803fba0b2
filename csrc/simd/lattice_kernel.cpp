// Embedding, splat, blur and slice: plain loops over lanes or labels, which the compiler vectorises.
#include "row_vector.h"

namespace ISA {
namespace {

// `D` is d where the compiler may unroll (position: 2, position and colour: 5), else 0.
template <int D>
bool embed(const float* features, std::size_t plane, int dims, const float* scales, EmbeddedBlock& out) {
  const int d = D ? D : dims;
  constexpr int kSize = D ? D : kMaxDims;
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
  float largest[kLanes] = {};
  for (int i = 0; i <= d; ++i) {
    for (int l = 0; l < kLanes; ++l) {
      const float v = nearest_multiple(e[i][l], inverse);
      const float r = v * static_cast<float>(d + 1);
      const bool fits = key_fits(r);  // the conversion below sees 0 if not
      largest[l] = fits ? largest[l] : 1.0f;
      difference[i][l] = e[i][l] - r;
      remainder_0[i][l] = static_cast<int>(fits ? r : 0.0f);
      sum[l] += static_cast<int>(fits ? v : 0.0f);
      rank[i][l] = 0;
    }
  }
  bool fits = true;
  for (int l = 0; l < kLanes; ++l) fits = fits && largest[l] == 0;
  if (!fits) return false;

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
  for (int i = 0; i < d; ++i) {
    for (int l = 0; l < kLanes; ++l) {
      out.remainder_0[l][i] = static_cast<short>(remainder_0[i][l]);
      out.rank[l][i] = static_cast<short>(rank[i][l]);
    }
  }
  return true;
}

// Calls `body` for chunks of G vectors of labels, so that a chunk's sums stay in registers.
#define FOR_LABEL_CHUNKS(row, function, ...)              \
  for (std::size_t label = 0; label < (row);) {           \
    const std::size_t vectors = ((row) - label) / kRow;   \
    if (vectors >= 4) {                                   \
      function<4>(label, __VA_ARGS__), label += 4 * kRow; \
    } else if (vectors == 3) {                            \
      function<3>(label, __VA_ARGS__), label += 3 * kRow; \
    } else if (vectors == 2) {                            \
      function<2>(label, __VA_ARGS__), label += 2 * kRow; \
    } else {                                              \
      function<1>(label, __VA_ARGS__), label += kRow;     \
    }                                                     \
  }

template <int G>
void splat_chunk(std::size_t label, const unsigned* starts, const Link* list, std::size_t first,
                 std::size_t last, const float* q, std::size_t q_stride, std::size_t row, const float* pre,
                 float* values) {
  constexpr std::size_t kAhead = 24;
  const Link* const end = list + starts[last];
  for (std::size_t v = first; v < last; ++v) {
    Vec sum[G] = {};
    for (const Link* link = list + starts[v]; link < list + starts[v + 1]; ++link) {
      const Link* ahead = link + kAhead < end ? link + kAhead : link;
      const float* soon = q + ahead->index * q_stride + label;
      __builtin_prefetch(soon);
      if (G > 1) __builtin_prefetch(soon + G * kRow - 1);
      const float* values_of_pixel = q + link->index * q_stride + label;
      const float weight = pre ? link->weight * pre[link->index] : link->weight;
      for (int g = 0; g < G; ++g) sum[g] += weight * load(values_of_pixel + g * kRow);
    }
    for (int g = 0; g < G; ++g) store(values + v * row + label + g * kRow, sum[g]);
  }
}

template <int G>
void slice_chunk(std::size_t label, const Link* links, int degree, std::size_t first, std::size_t last,
                 std::size_t row, const float* values, float* out) {
  for (std::size_t p = first; p < last; ++p) {
    Vec sum[G] = {};
    for (const Link* link = links + p * degree; link < links + (p + 1) * degree; ++link) {
      for (int g = 0; g < G; ++g)
        sum[g] += link->weight * load(values + link->index * row + label + g * kRow);
    }
    for (int g = 0; g < G; ++g) store(out + p * row + label + g * kRow, sum[g]);
  }
}

}  // namespace

bool embed_block(const float* features, std::size_t plane, int d, const float* scales, EmbeddedBlock& out) {
  return d == 2   ? embed<2>(features, plane, d, scales, out)
         : d == 5 ? embed<5>(features, plane, d, scales, out)
                  : embed<0>(features, plane, d, scales, out);
}

void splat_vertices(const unsigned* starts, const Link* list, std::size_t first, std::size_t last,
                    const float* q, std::size_t q_stride, std::size_t row, const float* pre, float* values) {
  FOR_LABEL_CHUNKS(row, splat_chunk, starts, list, first, last, q, q_stride, row, pre, values)
}

void blur_vertices(const unsigned (*neighbours)[2], std::size_t first, std::size_t last, std::size_t row,
                   std::size_t first_label, std::size_t last_label, const float* from, float* to) {
  for (std::size_t v = first; v < last; ++v) {
    const float* previous = from + neighbours[v][0] * row;
    const float* next = from + neighbours[v][1] * row;
    for (std::size_t l = first_label; l < last_label; l += kRow) {
      store(to + v * row + l, load(from + v * row + l) + 0.5f * (load(previous + l) + load(next + l)));
    }
  }
}

void slice_pixels(const Link* links, int degree, std::size_t first, std::size_t last, std::size_t row,
                  const float* values, float* out) {
  FOR_LABEL_CHUNKS(row, slice_chunk, links, degree, first, last, row, values, out)
}

}  // namespace ISA
