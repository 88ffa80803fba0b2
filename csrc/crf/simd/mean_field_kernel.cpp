// One mean-field update of a range of pixels in one pass: slice of every kernel, its weight, softmax, and the
// splat of the result for the next iteration.
#include <algorithm>

#include "crf/simd/exponentials.h"
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
  float* rows;    // [pixel, row]: logits, in the end q
  float* packed;  // [pixel, labels], as in q: exponentials

  std::size_t row() const { return G ? G * kRow : update.row; }
};

// The energies stream from memory: they are asked for this many pixels early.
constexpr int kAhead = 64;
constexpr int kCacheLine = 64 / sizeof(float);

// Whether the pixel's labels, padded to whole vectors, end before the pixel `last`: what runs over is the
// next pixel's.
template <int G>
bool is_whole(const Tile<G>& tile, std::size_t pixel, std::size_t last) {
  return pixel * tile.update.labels + tile.row() <= last * tile.update.labels;
}

// rows = -unary. padded: room for a row.
template <int G>
void negate_unary(const Tile<G>& tile, std::size_t last, float* padded) {
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
    for (std::size_t l = 0; l < row; l += kRow) store_row(tile.rows + i * row + l, -load_row(unary + l));
  }
}

// rows += scale * label weight * slice.
template <int G>
void add_term(const Tile<G>& tile, const KernelTerm& term) {
  const std::size_t row = tile.row();
  const Vec gain = broadcast_row(term.gain);
  with_links(term.links, term.degree, tile.first, [&](const auto& links) {
    for (int i = 0; i < tile.pixels; ++i) {
      const float scale = term.scale[tile.first + i];
      for_labels<G>(row, [&](std::size_t label, auto vectors) {
        constexpr int kVectors = decltype(vectors)::value;
        Vec sliced[kVectors];
        slice(links, i, gain, row, term.values + label, sliced);
        float* t = tile.rows + i * row + label;
#pragma GCC unroll 4
        for (int g = 0; g < kVectors; ++g) {
          if (term.label_weights) sliced[g] *= load_row(term.label_weights + label + g * kRow);
          store_row(t + g * kRow, load_row(t + g * kRow) + scale * sliced[g]);
        }
      });
    }
  });
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

// rows = -unary + sum of the terms, those without a matrix first. padded: room for a row.
template <int G>
void sum_terms(const Tile<G>& tile, std::size_t last, float* padded) {
  const Update& update = tile.update;
  negate_unary(tile, last, padded);
  for (int k = 0; k < update.count; ++k) {
    if (update.terms[k].values && !update.terms[k].compatibility) add_term(tile, update.terms[k]);
  }
  for (int k = 0; k < update.count; ++k) {
    if (update.terms[k].compatibility) add_matrix_term(tile, update.terms[k], padded);
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

// total[i]: the sum of pixel i's exponentials. Returns the first pixel whose sum is not a number, or
// `pixels`.
template <int G>
int sum_exponentials(const Tile<G>& tile, float (&total)[kUpdateTile]) {
  for (int block = 0; block < tile.pixels; block += kRow) store_row(total + block, sums(tile, block));
  for (int i = 0; i < tile.pixels; ++i) {
    if (total[i] != total[i]) return i;
  }
  return tile.pixels;
}

// q of a pixel, V vectors from `label` on: packed / total, which it leaves in the tile's rows.
template <int V, int G>
inline __attribute__((always_inline)) void divide(const Tile<G>& tile, int i, std::size_t label, float total,
                                                  Vec (&q)[V]) {
  const Vec divisor = broadcast_row(total);
  load_row(tile.packed + i * tile.update.labels + label, q);
#pragma GCC unroll 4
  for (int g = 0; g < V; ++g) q[g] /= divisor;
  store_row(tile.rows + i * tile.row() + label, q);
}

// Splats q, the tile's rows, for a term that wants it; total: of pixels whose q has not been divided, or
// null. left[i]: whether pixel i has links that are left for later.
template <int G>
void splat_term(const Tile<G>& tile, const KernelTerm& term, const float* total, bool (&left)[kUpdateTile]) {
  const std::size_t row = tile.row();
  with_links(term.links, term.degree, tile.first, [&](const auto& links) {
    for (int i = 0; i < tile.pixels; ++i) {
      for_labels<G>(row, [&](std::size_t label, auto vectors) {
        Vec q[decltype(vectors)::value];
        if (total) {
          divide(tile, i, label, total[i], q);
        } else {
          load_row(tile.rows + i * row + label, q);
        }
        float* next = term.next + label;
        left[i] |= term.pre ? splat(links, i, term.first_vertex,
                                    Factor{broadcast_row(term.pre[tile.first + i])}, row, q, next)
                            : splat(links, i, term.first_vertex, NoFactor{}, row, q, next);
      });
    }
  });
}

// rows = q = packed / total, splatted for every term that wants it: divisions are slow, and a splat has other
// work to do meanwhile.
template <int G>
void divide_and_splat(const Tile<G>& tile, const float (&total)[kUpdateTile], bool (&left)[kUpdateTile]) {
  const float* undivided = total;
  for (const KernelTerm* term = tile.update.terms; term < tile.update.terms + tile.update.count; ++term) {
    if (!term->next) continue;
    splat_term(tile, *term, undivided, left);
    undivided = nullptr;
  }
  for (int i = 0; undivided && i < tile.pixels; ++i) {
    for_labels<G>(tile.row(), [&](std::size_t label, auto vectors) {
      Vec q[decltype(vectors)::value];
      divide(tile, i, label, total[i], q);
    });
  }
}

// Writes the tile's rows to q, for the pixels whose q is wanted.
template <int G>
void keep(const Tile<G>& tile, std::size_t last, const bool (&wanted)[kUpdateTile]) {
  const std::size_t labels = tile.update.labels, row = tile.row();
  for (int i = 0; i < tile.pixels; ++i) {
    if (!wanted[i]) continue;
    const float* from = tile.rows + i * row;
    float* to = tile.update.q + (tile.first + i) * labels;
    if (is_whole(tile, tile.first + i, last)) {
      for (std::size_t l = 0; l < row; l += kRow) store_row(to + l, load_row(from + l));
    } else {
      std::copy(from, from + labels, to);
    }
  }
}

// Pixels of a tile: as many as the first-level cache holds beside what they gather.
std::size_t tile_of(std::size_t row) {
  constexpr std::size_t kBytes = 24 << 10, kLeast = 16;
  const std::size_t pixels = kBytes / (2 * row * sizeof(float)) / kRow * kRow;
  return std::min<std::size_t>(std::max(pixels, kLeast), kUpdateTile);
}

template <int G>
std::size_t update_range(const Update& update, std::size_t first, std::size_t last, bool exact,
                         float* scratch) {
  const std::size_t most = tile_of(update.row);
  std::size_t bad = last;
  for (std::size_t begin_of_tile = first; begin_of_tile < last; begin_of_tile += most) {
    const int pixels = static_cast<int>(std::min(last - begin_of_tile, most));
    const Tile<G> tile{update, begin_of_tile, pixels, scratch + update.row,
                       scratch + (1 + kUpdateTile) * update.row};
    sum_terms(tile, last, scratch);
    subtract_largest(tile);
    exponentials(tile.packed, (pixels - 1) * update.labels + update.row, exact);
    alignas(sizeof(Vec)) float total[kUpdateTile];
    const int found = sum_exponentials(tile, total);
    bool wanted[kUpdateTile];
    std::fill(wanted, wanted + kUpdateTile, update.keep);
    divide_and_splat(tile, total, wanted);
    keep(tile, last, wanted);
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
