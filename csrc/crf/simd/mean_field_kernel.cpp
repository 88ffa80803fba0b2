// One mean-field update of a range of pixels in one pass: slice of every kernel, its weight, softmax, and the
// splat of the result for the next iteration.
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
  float* rows;    // [pixel, row]: logits, then q
  float* packed;  // [pixel, labels], as in q: exponentials

  std::size_t row() const { return G ? G * kRow : update.row; }
};

// The energies stream from memory: they are asked for this many pixels early.
constexpr int kAhead = 2 * kUpdateTile;
constexpr int kCacheLine = 64 / sizeof(float);

// rows = -unary.
template <int G>
void begin(const Tile<G>& tile, std::size_t last) {
  const std::size_t labels = tile.update.labels, row = tile.row();
  for (int i = 0; i < tile.pixels; ++i) {
    const std::size_t p = tile.first + i;
    const float* unary = tile.update.unary + p * labels;
    float* t = tile.rows + i * row;
    for (std::size_t l = 0; l < labels; l += kCacheLine) __builtin_prefetch(unary + kAhead * labels + l);
    if (p * labels + row <= last * labels) {
      for (std::size_t l = 0; l < row; l += kRow) store_row(t + l, -load_row(unary + l));
    } else {  // whole vectors would read beyond the end
      for (std::size_t l = 0; l < row; ++l) t[l] = l < labels ? -unary[l] : 0;
    }
  }
}

// rows += scale * label weight * slice.
template <int G>
void add_term(const Tile<G>& tile, const KernelTerm& term) {
  const std::size_t row = tile.row();
  const Vec gain = broadcast_row(term.gain);
  with_links(term.links, term.degree, tile.first, [&](const auto& links) {
    for_labels<G>(row, [&](std::size_t label, auto vectors) {
      constexpr int kVectors = decltype(vectors)::value;
      for (int i = 0; i < tile.pixels; ++i) {
        Vec sliced[kVectors];
        slice(links, i, gain, row, term.values + label, sliced);
        if (term.label_weights) {
#pragma GCC unroll 4
          for (int g = 0; g < kVectors; ++g) sliced[g] *= load_row(term.label_weights + label + g * kRow);
        }
        Vec t[kVectors];
        load_row(tile.rows + i * row + label, t);
#pragma GCC unroll 4
        for (int g = 0; g < kVectors; ++g) t[g] += term.scale[tile.first + i] * sliced[g];
        store_row(tile.rows + i * row + label, t);
      }
    });
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

void exponentials(float* t, std::size_t count, bool exact) {
  if (exact) {
    for (std::size_t i = 0; i < count; ++i) t[i] = true_exp(t[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) t[i] = fast_exp(t[i]);
  }
}

// rows = packed / sum, the sum in the order of the labels: side by side for several pixels, because one's is
// a chain of dependent additions. Returns the first pixel whose sum is not a number, or `pixels`.
template <int G>
int normalize(const Tile<G>& tile) {
  const std::size_t labels = tile.update.labels, row = tile.row();
  int bad = tile.pixels;
  for (int block = 0; block < tile.pixels; block += kRow) {
    const float* e = tile.packed + block * labels;
    Vec sum = {};
    for (std::size_t label = 0; label < labels; label += kRow) {
      Vec columns[kRow];
      for (int i = 0; i < kRow; ++i) columns[i] = load_row(e + i * labels + label);
      transpose(columns);
      const int count = labels - label < kRow ? static_cast<int>(labels - label) : kRow;
      for (int i = 0; i < count; ++i) sum += columns[i];
    }
    for (int i = 0; i < kRow && block + i < tile.pixels; ++i) {
      float* q = tile.rows + (block + i) * row;
      for (std::size_t l = 0; l < row; l += kRow) store_row(q + l, load_row(e + i * labels + l) / sum[i]);
      if (sum[i] != sum[i] && bad == tile.pixels) bad = block + i;
    }
  }
  return bad;
}

// Splats rows; bit i of the result: pixel i has links left for later.
template <int G>
unsigned splat_term(const Tile<G>& tile, const KernelTerm& term) {
  const std::size_t row = tile.row();
  unsigned late = 0;
  with_links(term.links, term.degree, tile.first, [&](const auto& links) {
    for_labels<G>(row, [&](std::size_t label, auto vectors) {
      constexpr int kVectors = decltype(vectors)::value;
      for (int i = 0; i < tile.pixels; ++i) {
        const Vec pre = broadcast_row(term.pre ? term.pre[tile.first + i] : 1.0f);
        Vec q[kVectors];
        load_row(tile.rows + i * row + label, q);
        late |= unsigned{splat(links, i, term.first_vertex, pre, row, q, term.next + label)} << i;
      }
    });
  });
  return late;
}

// q = rows, of the pixels in `wanted`.
template <int G>
void write(const Tile<G>& tile, std::size_t last, unsigned wanted) {
  const std::size_t labels = tile.update.labels, row = tile.row();
  for (int i = 0; i < tile.pixels; ++i) {
    if (!(wanted >> i & 1)) continue;
    const std::size_t p = tile.first + i;
    const float* from = tile.rows + i * row;
    float* q = tile.update.q + p * labels;
    if (p * labels + row <= last * labels) {  // what runs over is the next pixel's, which follows
      for (std::size_t l = 0; l < row; l += kRow) store_row(q + l, load_row(from + l));
    } else {
      for (std::size_t l = 0; l < labels; ++l) q[l] = from[l];
    }
  }
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
    begin(tile, last);
    for (int k = 0; k < update.count; ++k) {
      if (update.terms[k].values && !update.terms[k].compatibility) add_term(tile, update.terms[k]);
    }
    for (int k = 0; k < update.count; ++k) {
      if (update.terms[k].compatibility) add_matrix_term(tile, update.terms[k], scratch);
    }
    subtract_largest(tile);
    exponentials(tile.packed, (pixels - 1) * update.labels + update.row, exact);
    const int found = normalize(tile);
    if (found < pixels && bad == last) bad = tile.first + found;
    unsigned wanted = update.keep ? ~0u : 0;
    for (int k = 0; k < update.count; ++k) {
      if (update.terms[k].next) wanted |= splat_term(tile, update.terms[k]);
    }
    write(tile, last, wanted);
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
