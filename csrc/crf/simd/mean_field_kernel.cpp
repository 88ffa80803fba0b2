// One mean-field update of a range of pixels in one pass: slice of every kernel, its weight, softmax, and the
// splat of the result for the next iteration.
#include <algorithm>

#include "crf/mean_field.h"
#include "crf/simd/links.h"

namespace ISA {
namespace {

struct Update {
  const KernelTerm* terms;
  int count;
  const float* unary;
  float* q;
  std::size_t labels, row;
  bool keep;    // q is wanted for every pixel
  Vec padding;  // minus infinity beyond the last label, else plus infinity
};

// Some consecutive pixels, and what they go through. G: vectors in a row where the compiler may know it, else
// 0.
template <int G>
struct Tile {
  const Update& update;
  std::size_t first;  // pixel
  int pixels;
  float* rows;    // [pixel, row]: logits
  float* packed;  // [pixel, labels], as in q: exponentials

  std::size_t row() const { return G ? G * kRow : update.row; }
};

// The energies stream from memory: they are asked for this many pixels early.
constexpr int kAhead = 2 * kUpdateTile;
constexpr int kCacheLine = 64 / sizeof(float);

// Whether the pixel's labels, padded to whole vectors, end before the pixel `last`: what runs over is the
// next pixel's.
template <int G>
bool is_whole(const Tile<G>& tile, std::size_t pixel, std::size_t last) {
  return pixel * tile.update.labels + tile.row() <= last * tile.update.labels;
}

// rows = -unary + sum of scale * label weight * slice over the terms without a matrix. padded: room for a
// row.
template <int G>
void sum_terms(const Tile<G>& tile, std::size_t last, float* padded) {
  const Update& update = tile.update;
  const std::size_t labels = update.labels, row = tile.row();
  for (int i = 0; i < tile.pixels; ++i) {
    const std::size_t p = tile.first + i;
    const float* unary = update.unary + p * labels;
    for (std::size_t l = 0; l < labels; l += kCacheLine) __builtin_prefetch(unary + kAhead * labels + l);
    if (!is_whole(tile, p, last)) {
      std::copy(unary, unary + labels, padded);
      unary = padded;
    }
    for_labels<G>(row, [&](std::size_t label, auto vectors) {
      constexpr int kVectors = decltype(vectors)::value;
      Vec t[kVectors];
      load_row(unary + label, t);
#pragma GCC unroll 4
      for (int g = 0; g < kVectors; ++g) t[g] = -t[g];
      for (const KernelTerm* term = update.terms; term < update.terms + update.count; ++term) {
        if (!term->values || term->compatibility) continue;
        with_links(term->links, term->degree, p, [&](const auto& links) {
          Vec sliced[kVectors];
          slice(links, 0, broadcast_row(term->gain), row, term->values + label, sliced);
          if (term->label_weights) {
#pragma GCC unroll 4
            for (int g = 0; g < kVectors; ++g) sliced[g] *= load_row(term->label_weights + label + g * kRow);
          }
#pragma GCC unroll 4
          for (int g = 0; g < kVectors; ++g) t[g] += term->scale[p] * sliced[g];
        });
      }
      store_row(tile.rows + i * row + label, t);
    });
  }
}

// rows += scale * (slice times matrix).
template <int G>
void add_matrix_term(const Tile<G>& tile, const KernelTerm& term, float* sliced) {
  const std::size_t labels = tile.update.labels, row = tile.row();
  const Vec gain = broadcast_row(term.gain);
  const Links<0> links{term.links + tile.first * term.degree, term.degree};
  for (int i = 0; i < tile.pixels; ++i) {
    for (std::size_t label = 0; label < row; label += kRow) {
      Vec sum[1];
      slice(links, i, gain, row, term.values + label, sum);
      store_row(sliced + label, sum[0]);
    }
    float* t = tile.rows + i * row;
    for (std::size_t from = 0; from < labels; ++from) {
      const float factor = term.scale[tile.first + i] * sliced[from];
      const float* to = term.compatibility + from * row;
      for (std::size_t l = 0; l < labels; ++l) t[l] += factor * to[l];
    }
  }
}

// packed = rows less their largest value.
template <int G>
void subtract_largest(const Tile<G>& tile) {
  const std::size_t row = tile.row();
  for (int block = 0; block < tile.pixels; block += kRow) {
    Vec best[kRow];
    for (int i = 0; i < kRow; ++i) {
      float* t = tile.rows + (block + i) * row;
      const Vec last = load_row(t + row - kRow);
      best[i] = last < tile.update.padding ? last : tile.update.padding;
      store_row(t + row - kRow, best[i]);
      for (std::size_t l = 0; l + kRow < row; l += kRow) best[i] = larger(best[i], load_row(t + l));
    }
    const Vec largest = largest_of_rows(best);
    for (int i = 0; i < kRow && block + i < tile.pixels; ++i) {
      const float* t = tile.rows + (block + i) * row;
      float* to = tile.packed + (block + i) * tile.update.labels;
      for (std::size_t l = 0; l < row; l += kRow) store_row(to + l, load_row(t + l) - largest[i]);
    }
  }
}

#ifdef ISA_AVX2
// fast_exp of several vectors, step by step side by side: each step waits for the one before it, and these
// processors look few instructions ahead. What follows t[count - 1] up to a whole step is changed, too.
void fast_exponentials(float* t, std::size_t count) {
  typedef std::int32_t IntVec __attribute__((vector_size(sizeof(Vec))));
  constexpr int kVectors = 4;
  const auto each = [](const auto& step) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) step(i);
  };
  for (const float* end = t + count; t < end; t += kVectors * kRow) {
    Vec a[kVectors], p[kVectors] = {}, x[kVectors];
    each([&](int i) { a[i] = exp_halved<Vec, IntVec>(load_row(t + i * kRow)); });
#pragma GCC unroll 8
    for (int k = kExpTerms - 1; k >= 0; --k) each([&](int i) { p[i] = exp_term(k, a[i], p[i]); });
    asm("" : "+r"(t));  // loaded again: registers do not hold all
    load_row(t, x);
#pragma GCC unroll 8
    for (int k = 0; k < kExpSquarings; ++k) each([&](int i) { p[i] = exp_squared(k, x[i], p[i]); });
    each([&](int i) { store_row(t + i * kRow, exp_bounded(x[i], p[i])); });
  }
}
#else
void fast_exponentials(float* t, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) t[i] = fast_exp(t[i]);
}
#endif

void exponentials(float* t, std::size_t count, bool exact) {
  if (!exact) return fast_exponentials(t, count);
  for (std::size_t i = 0; i < count; ++i) t[i] = true_exp(t[i]);
}

// The sums of packed in the order of the labels, kRow pixels from `block` on side by side, because one's is a
// chain of dependent additions.
template <int G>
inline __attribute__((always_inline)) Vec sums(const Tile<G>& tile, int block) {
  const std::size_t labels = tile.update.labels;
  const float* e = tile.packed + block * labels;
  Vec sum = {};
  for (std::size_t label = 0; label < labels; label += kRow) {
    Vec columns[kRow];
    for (int i = 0; i < kRow; ++i) columns[i] = load_row(e + i * labels + label);
    transpose(columns);
    const int count = labels - label < kRow ? static_cast<int>(labels - label) : kRow;
    for (int i = 0; i < count; ++i) sum += columns[i];
  }
  return sum;
}

// Splats a pixel's q, the vectors of it from `label` on, for every term that wants it. Returns whether links
// are left for later.
template <int V>
inline __attribute__((always_inline)) bool splat_terms(const Update& update, std::size_t row,
                                                       std::size_t pixel, std::size_t label,
                                                       const Vec (&q)[V]) {
  bool late = false;
  for (const KernelTerm* term = update.terms; term < update.terms + update.count; ++term) {
    if (!term->next) continue;
    with_links(term->links, term->degree, pixel, [&](const auto& links) {
      float* next = term->next + label;
      late |= term->pre
                  ? splat(links, 0, term->first_vertex, Factor{broadcast_row(term->pre[pixel])}, row, q, next)
                  : splat(links, 0, term->first_vertex, NoFactor{}, row, q, next);
    });
  }
  return late;
}

// q = packed / sum, splatted; written where it is wanted. Returns the first pixel whose sum is not a number,
// or `pixels`. padded: room for a row.
template <int G>
int normalize_and_splat(const Tile<G>& tile, std::size_t last, float* padded) {
  const Update& update = tile.update;
  const std::size_t labels = update.labels, row = tile.row();
  int bad = tile.pixels;
  for (int block = 0; block < tile.pixels; block += kRow) {
    const Vec sum = sums(tile, block);
    for (int i = block; i < block + kRow && i < tile.pixels; ++i) {
      const std::size_t p = tile.first + i;
      const Vec divisor = broadcast_row(sum[i - block]);
      const bool whole = is_whole(tile, p, last);
      float* const q = whole ? update.q + p * labels : padded;
      bool wanted = update.keep;
      for_labels<G>(row, [&](std::size_t label, auto vectors) {
        constexpr int kVectors = decltype(vectors)::value;
        Vec share[kVectors];
        load_row(tile.packed + i * labels + label, share);
#pragma GCC unroll 4
        for (int g = 0; g < kVectors; ++g) share[g] /= divisor;
        wanted |= splat_terms(update, row, p, label, share);
        if (wanted) store_row(q + label, share);
      });
      if (wanted && !whole) std::copy(padded, padded + labels, update.q + p * labels);
      if (sum[i - block] != sum[i - block] && bad == tile.pixels) bad = i;
    }
  }
  return bad;
}

template <int G>
std::size_t update_range(const Update& update, std::size_t first, std::size_t last, bool exact,
                         float* scratch) {
  std::size_t bad = last;
  for (std::size_t begin_of_tile = first; begin_of_tile < last; begin_of_tile += kUpdateTile) {
    const std::size_t left = last - begin_of_tile;
    const int pixels = left < kUpdateTile ? static_cast<int>(left) : kUpdateTile;
    const Tile<G> tile{update, begin_of_tile, pixels, scratch + update.row,
                       scratch + (1 + kUpdateTile) * update.row};
    sum_terms(tile, last, scratch);
    for (int k = 0; k < update.count; ++k) {
      if (update.terms[k].compatibility) add_matrix_term(tile, update.terms[k], scratch);
    }
    subtract_largest(tile);
    exponentials(tile.packed, (pixels - 1) * update.labels + update.row, exact);
    const int found = normalize_and_splat(tile, last, scratch);
    if (found < pixels && bad == last) bad = tile.first + found;
  }
  return bad;
}

}  // namespace

std::size_t update_pixels(const KernelTerm* terms, int count, const float* unary, float* q, std::size_t first,
                          std::size_t last, std::size_t labels, bool use_true_exp, float* scratch) {
  Update update{terms, count, unary, q, labels, padded_labels(labels), count == 0, {}};
  for (int k = 0; k < count; ++k) update.keep = update.keep || !terms[k].next;
  for (int l = 0; l < kRow; ++l) {
    update.padding[l] = update.row - kRow + l < labels ? __builtin_inff() : -__builtin_inff();
  }
  switch (update.row / kRow) {
    case 1:
      return update_range<1>(update, first, last, use_true_exp, scratch);
    case 2:
      return update_range<2>(update, first, last, use_true_exp, scratch);
    case 3:
      return update_range<3>(update, first, last, use_true_exp, scratch);
    case 4:
      return update_range<4>(update, first, last, use_true_exp, scratch);
    default:
      return update_range<0>(update, first, last, use_true_exp, scratch);
  }
}

void best_of_pixels(const float* q, std::int16_t* best, std::size_t first, std::size_t last,
                    std::size_t labels) {
  typedef std::int32_t Indices __attribute__((vector_size(sizeof(Vec))));
  // Side by side for kRow pixels; the last ones, whose whole vectors would read beyond the end, one by one.
  std::size_t p = first;
  for (; (p + kRow - 1) * labels + padded_labels(labels) <= last * labels; p += kRow) {
    Vec largest = {};
    Indices index = {};
    for (std::size_t label = 0; label < labels; label += kRow) {
      Vec columns[kRow];
      for (int i = 0; i < kRow; ++i) columns[i] = load_row(q + (p + i) * labels + label);
      transpose(columns);
      for (int i = 0; i < kRow && label + i < labels; ++i) {
        const auto better = label + i == 0 ? Indices{} == 0 : columns[i] > largest;
        largest = better ? columns[i] : largest;
        index = better ? Indices{} + static_cast<std::int32_t>(label + i) : index;
      }
    }
    for (int i = 0; i < kRow; ++i) best[p + i] = static_cast<std::int16_t>(index[i]);
  }
  for (; p < last; ++p) {
    const float* row = q + p * labels;
    std::size_t found = 0;
    for (std::size_t l = 1; l < labels; ++l) found = row[l] > row[found] ? l : found;
    best[p] = static_cast<std::int16_t>(found);
  }
}

}  // namespace ISA
