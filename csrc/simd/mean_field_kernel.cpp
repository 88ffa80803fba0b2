// One mean-field update of a range of pixels: slice of every kernel, its weight, softmax, in one pass.
#include "mean_field.h"
#include "row_vector.h"

namespace ISA {
namespace {

struct Update {
  const KernelTerm* terms;
  int count;
  const float* unary;
  std::size_t labels, row;
};

// t = -unary + terms for G vectors of labels of one pixel, from `label` on (terms with a matrix left out).
// `unary` has as many readable floats; returns the largest of each lane.
template <int G>
inline __attribute__((always_inline)) Vec add_terms(const Update& update, std::size_t p, std::size_t label,
                                                    const float* unary, const Vec& padding, float* t) {
  Vec sum[G];
  for (int g = 0; g < G; ++g) sum[g] = -load(unary + label + g * kRow);
  for (const KernelTerm* term = update.terms; term < update.terms + update.count; ++term) {
    if (term->compatibility) continue;
    Vec slice[G] = {};
    const Link* link = term->links + p * term->degree;
    const float* values = term->values + label;
    for (const Link* end = link + term->degree; link < end; ++link) {
      const float* from = values + link->index * update.row;
      for (int g = 0; g < G; ++g) slice[g] += link->weight * load(from + g * kRow);
    }
    const float scale = term->scale[p];
    if (term->label_weights) {
      for (int g = 0; g < G; ++g) slice[g] *= load(term->label_weights + label + g * kRow);
    }
    for (int g = 0; g < G; ++g) sum[g] += scale * slice[g];
  }
  // `padding` is minus infinity beyond the last label, else plus infinity.
  if (label + G * kRow == update.row) sum[G - 1] = sum[G - 1] < padding ? sum[G - 1] : padding;
  Vec best = sum[0];
  for (int g = 1; g < G; ++g) best = larger(best, sum[g]);
  for (int g = 0; g < G; ++g) store(t + label + g * kRow, sum[g]);
  return best;
}

// The whole row of a pixel; every lane of the result is its largest value.
template <int G>
inline __attribute__((always_inline)) Vec add_row(const Update& update, std::size_t p, const float* unary,
                                                  const Vec& padding, float* t) {
  if (G > 0) return largest_lane(add_terms<G ? G : 1>(update, p, 0, unary, padding, t));
  Vec best = add_terms<1>(update, p, 0, unary, padding, t);
  for (std::size_t label = kRow; label < update.row; label += kRow) {
    best = larger(best, add_terms<1>(update, p, label, unary, padding, t));
  }
  return largest_lane(best);
}

// The terms with a compatibility matrix: t += scale * (slice times matrix). Returns the new largest value.
Vec add_matrix_terms(const Update& update, std::size_t p, float* t, float* slice) {
  const std::size_t row = update.row;
  for (const KernelTerm* term = update.terms; term < update.terms + update.count; ++term) {
    if (!term->compatibility) continue;
    for (std::size_t l = 0; l < row; ++l) slice[l] = 0;
    const Link* link = term->links + p * term->degree;
    for (const Link* end = link + term->degree; link < end; ++link) {
      const float* values = term->values + link->index * row;
      for (std::size_t l = 0; l < row; ++l) slice[l] += link->weight * values[l];
    }
    for (std::size_t from = 0; from < update.labels; ++from) {
      const float factor = term->scale[p] * slice[from];
      const float* to = term->compatibility + from * row;
      for (std::size_t l = 0; l < update.labels; ++l) t[l] += factor * to[l];
    }
  }
  Vec best = load(t);
  for (std::size_t l = kRow; l < row; l += kRow) best = larger(best, load(t + l));
  return largest_lane(best);
}

void exponentials(float* t, std::size_t count, bool exact) {
  if (exact) {
    for (std::size_t i = 0; i < count; ++i) t[i] = true_exp(t[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) t[i] = fast_exp(t[i]);
  }
}

template <int G>
std::size_t update_range(const Update& update, float* q, std::size_t first, std::size_t last, bool exact,
                         float* scratch) {
  constexpr int kTile = kUpdateTile;
  const std::size_t labels = update.labels, row = G ? G * kRow : update.row;
  float* const padded_unary = scratch + kTile * row;
  float* const slice = padded_unary + row;
  bool matrices = false;
  for (int k = 0; k < update.count; ++k) matrices = matrices || update.terms[k].compatibility;
  Vec padding;
  for (int l = 0; l < kRow; ++l) {
    padding[l] = row - kRow + l < labels ? __builtin_inff() : -__builtin_inff();
  }
  std::size_t bad = last;
  for (std::size_t tile = first; tile < last; tile += kTile) {
    const int pixels = last - tile < kTile ? static_cast<int>(last - tile) : kTile;
    for (int i = 0; i < pixels; ++i) {
      const std::size_t p = tile + i;
      const float* unary = update.unary + p * labels;
      if (p * labels + row > last * labels) {  // whole vectors would read beyond the end
        for (std::size_t l = 0; l < row; ++l) padded_unary[l] = l < labels ? unary[l] : 0;
        unary = padded_unary;
      }
      float* t = scratch + i * row;
      Vec best = add_row<G>(update, p, unary, padding, t);
      if (matrices) best = add_matrix_terms(update, p, t, slice);
      for (std::size_t l = 0; l < row; l += kRow) store(t + l, load(t + l) - best);
    }
    exponentials(scratch, pixels * row, exact);
    // In the order of the labels; side by side, because one pixel's sum is a chain of dependent additions.
    float sum[kTile] = {};
    for (std::size_t l = 0; l < labels; ++l) {
      for (int i = 0; i < kTile; ++i) sum[i] += scratch[i * row + l];
    }
    for (int i = 0; i < pixels; ++i) {
      const float* t = scratch + i * row;
      float* to = q + (tile + i) * labels;
      if ((tile + i) * labels + row <= last * labels) {  // what runs over is written again below
        for (std::size_t l = 0; l < row; l += kRow) store(to + l, load(t + l) / sum[i]);
      } else {
        for (std::size_t l = 0; l < labels; ++l) to[l] = t[l] / sum[i];
      }
      if (sum[i] != sum[i] && bad == last) bad = tile + i;
    }
  }
  return bad;
}

}  // namespace

std::size_t update_pixels(const KernelTerm* terms, int count, const float* unary, float* q, std::size_t first,
                          std::size_t last, std::size_t labels, bool exact_exponential, float* scratch) {
  const Update update{terms, count, unary, labels, padded_labels(labels)};
  switch (update.row / kRow) {
    case 1:
      return update_range<1>(update, q, first, last, exact_exponential, scratch);
    case 2:
      return update_range<2>(update, q, first, last, exact_exponential, scratch);
    case 3:
      return update_range<3>(update, q, first, last, exact_exponential, scratch);
    case 4:
      return update_range<4>(update, q, first, last, exact_exponential, scratch);
    default:
      return update_range<0>(update, q, first, last, exact_exponential, scratch);
  }
}

}  // namespace ISA
