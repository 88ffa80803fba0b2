#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "crf/embed_points.h"
#include "crf/lattice_simd.h"
#include "crf/lattice_table.h"

namespace {

// All points' strips, embedded by that function. The memory of tables and links has to be asked for; nothing
// may leave a parallel region.
template <class Embed>
void embed_strips(std::vector<EmbeddedStrip>& strips, const Embed& embed) {
  const int threads = static_cast<int>(strips.size());
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 0; t < threads; ++t) {
    try {
      embed(strips[t]);
    } catch (const std::bad_alloc&) {
      strips[t].out_of_memory = true;
    }
  }
  for (const EmbeddedStrip& strip : strips) {
    if (strip.out_of_memory) throw std::bad_alloc();
  }
}

bool all_fit(const std::vector<EmbeddedStrip>& strips) {
  return std::all_of(strips.begin(), strips.end(), [](const EmbeddedStrip& strip) { return strip.fits; });
}

}  // namespace

Lattice::Lattice(const float* features, std::size_t points, int dims, bool wide_keys, int threads)
    : points_(points), dims_(dims) {
  const std::size_t degree = static_cast<std::size_t>(dims) + 1;
  if (points * degree >= (std::size_t{1} << 32) - kLanes * degree) {
    throw std::overflow_error("too many points for one lattice");
  }
  links_ = Buffer<Link>(points * degree);
  const std::size_t with_fillers = (points + kGroup - 1) / kGroup * kGroup;
  const std::size_t blocks = (with_fillers + kLanes - 1) / kLanes;
  const auto empty_strips = [&](int key_words) {
    std::vector<EmbeddedStrip> strips;
    for (int t = 0; t < threads; ++t) {
      strips.push_back({blocks * t / threads * kLanes,
                        std::min(blocks * (t + 1) / threads * kLanes, with_fillers), KeyTable(key_words)});
    }
    return strips;
  };
  std::vector<EmbeddedStrip> strips = empty_strips(key_table_words<std::int16_t>(dims));
  embed_strips(strips, [&](EmbeddedStrip& strip) {
    (dims <= kMaxLaneDims ? embed_strip : embed_strip_plainly<float, std::int16_t>)(features, points, dims,
                                                                                    strip, links_.data());
  });
  wide_ = !all_fit(strips);
  if (wide_) {
    if (!wide_keys) throw std::overflow_error("features too large for 16-bit lattice coordinates");
    strips = empty_strips(key_table_words<std::int32_t>(dims));
    embed_strips(strips, [&](EmbeddedStrip& strip) {
      embed_strip_plainly<double, std::int32_t>(features, points, dims, strip, links_.data());
    });
    if (!all_fit(strips)) throw std::overflow_error("features too large for 32-bit lattice coordinates");
  }

  // First touch in pixel order numbers the vertices, however many strips there are.
  KeyTable& table = strips[0].table;
  std::vector<std::vector<unsigned>> numbers(threads);  // of a strip's vertices in the whole lattice
  for (int t = 0; t < threads; ++t) {
    const unsigned first_vertex = t == 0 ? 1 : table.count() + 1;
    numbers[t].resize(t == 0 ? 0 : strips[t].table.count() + 1);
    for (unsigned v = 1; v < numbers[t].size(); ++v) numbers[t][v] = table.insert(strips[t].table.key(v));
    strips_.push_back({std::min(strips[t].first, points), std::min(strips[t].last, points), first_vertex,
                       table.count() + 1});
  }
  vertices_ = table.count();
  list_late_links(numbers, threads);
  if (wide_) {
    connect<std::int32_t>(table, threads);
  } else {
    connect<std::int16_t>(table, threads);
  }
}

void Lattice::list_late_links(const std::vector<std::vector<unsigned>>& numbers, int threads) {
  const std::size_t degree = static_cast<std::size_t>(dims_) + 1;
  const unsigned end = strips_.back().first_vertex;
  // A counting sort by vertex: each piece gets its place within each list. The first strip has no late links:
  // of two threads, its thread takes half of the second.
  struct Piece {
    int strip;
    std::size_t first, last;     // pixels
    std::vector<unsigned> next;  // of each list
  };
  std::vector<Piece> pieces;
  const unsigned parts = threads == 2 ? 2 : 1;
  for (int t = 1; t < threads; ++t) {
    const PixelStrip& strip = strips_[t];
    const std::size_t pixels = strip.last - strip.first;
    for (unsigned part = 0; part < parts; ++part) {
      pieces.push_back({t, strip.first + pixels * part / parts, strip.first + pixels * (part + 1) / parts,
                        std::vector<unsigned>(strip.first_vertex)});
    }
  }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (std::size_t n = 0; n < pieces.size(); ++n) {
    Piece& piece = pieces[n];
    const unsigned first_vertex = strips_[piece.strip].first_vertex;
    for (std::size_t i = piece.first * degree; i < piece.last * degree; ++i) {
      links_[i].index = numbers[piece.strip][links_[i].index];
      if (links_[i].index < first_vertex) ++piece.next[links_[i].index];
    }
  }
  late_starts_ = Buffer<unsigned>(std::size_t{end} + 1);
  unsigned count = 0;
  late_starts_[0] = 0;
  for (unsigned v = 1; v < end; ++v) {
    late_starts_[v] = count;
    for (Piece& piece : pieces) {
      if (v >= piece.next.size()) continue;
      const unsigned own = piece.next[v];
      piece.next[v] = count;
      count += own;
    }
  }
  late_starts_[end] = count;
  late_ = Buffer<Link>(count);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (std::size_t n = 0; n < pieces.size(); ++n) {
    Piece& piece = pieces[n];
    const unsigned first_vertex = strips_[piece.strip].first_vertex;
    for (std::size_t p = piece.first; p < piece.last; ++p) {
      for (std::size_t i = p * degree; i < (p + 1) * degree; ++i) {
        const unsigned vertex = links_[i].index;
        if (vertex < first_vertex) late_[piece.next[vertex]++] = {static_cast<unsigned>(p), links_[i].weight};
      }
    }
  }
}

template <class Key>
void Lattice::connect(const KeyTable& table, int threads) {
  const std::size_t rows = std::size_t{vertices_} + 1;
  neighbours_ = Buffer<unsigned[2]>(rows * (dims_ + 1));
  std::memset(neighbours_.data(), 0, neighbours_.size() * sizeof(unsigned[2]));
  // The step back along each axis, as keys are kept: in whole words, since one is read as words right after
  // it was made.
  const int words = table.words();
  typedef Key Word __attribute__((vector_size(sizeof(std::uint64_t))));
  constexpr int kLanesOfWord = sizeof(Word) / sizeof(Key);
  std::vector<Key> steps(static_cast<std::size_t>(dims_ + 1) * words * kLanesOfWord);
  for (int axis = 0; axis <= dims_; ++axis) {
    for (int i = 0; i < dims_; ++i) {
      steps[axis * words * kLanesOfWord + i] = static_cast<Key>(previous_coordinate(0, i, axis, dims_));
    }
  }
#pragma omp parallel num_threads(threads)
  {
    std::vector<std::uint64_t> previous(static_cast<std::size_t>(dims_ + 1) * words);
    std::vector<std::uint32_t> hashes(dims_ + 1);
#pragma omp for
    for (unsigned v = 1; v <= vertices_; ++v) {
      const std::uint64_t* key = table.key(v);
      const Key* step = steps.data();
      for (int axis = 0; axis <= dims_; ++axis) {
        for (int w = 0; w < words; ++w, step += kLanesOfWord) {
          Word coordinates, change;
          std::memcpy(&coordinates, key + w, sizeof coordinates);
          std::memcpy(&change, step, sizeof change);
          coordinates += change;
          std::memcpy(&previous[axis * words + w], &coordinates, sizeof coordinates);
        }
        hashes[axis] = table.hash(&previous[axis * words]);
      }
      for (int axis = 0; axis <= dims_; ++axis) {
        const unsigned found = table.find(&previous[axis * words], hashes[axis]);
        if (found == 0) continue;
        // The step back of one is the step forward of the other, so no two threads write the same number.
        neighbours_[axis * rows + v][0] = found;
        neighbours_[axis * rows + found][1] = v;
      }
    }
  }
}

void Lattice::clear(std::size_t strip, std::size_t row, float* values) const {
  const std::size_t first = strip == 0 ? 0 : strips_[strip].first_vertex;
  std::fill(values + first * row, values + strips_[strip].last_vertex * row, 0.0f);
}

void Lattice::splat(std::size_t strip, std::size_t first, std::size_t last, const float* q,
                    std::size_t q_stride, std::size_t row, const float* pre, float* values) const {
  SELECT_ISA(splat_pixels)
  (links_.data(), dims_ + 1, strips_[strip].first_vertex, first, last, q, q_stride, row, pre, values);
}

void Lattice::splat_late(std::size_t piece, std::size_t pieces, const float* q, std::size_t q_stride,
                         std::size_t row, const float* pre, float* values) const {
  // Pieces with about the same number of list entries each.
  const std::size_t end = strips_.back().first_vertex;
  const auto border = [&](std::size_t i) -> std::size_t {
    if (i == 0 || i == pieces) return i == 0 ? 1 : end;
    const auto wanted = static_cast<unsigned>(std::size_t{late_starts_[end]} * i / pieces);
    return std::lower_bound(late_starts_.data() + 1, late_starts_.data() + end, wanted) - late_starts_.data();
  };
  SELECT_ISA(splat_lists)
  (late_starts_.data(), late_.data(), border(piece), border(piece + 1), q, q_stride, row, pre, values);
}

void Lattice::blur(std::size_t row, std::size_t first_label, std::size_t last_label, float* values,
                   float* other, bool adjoint) const {
  const std::size_t rows = std::size_t{vertices_} + 1;
  std::fill(other + first_label, other + last_label, 0.0f);
  for (int step = 0; step <= dims_; ++step) {
    const int axis = adjoint ? dims_ - step : step;
    SELECT_ISA(blur_vertices)
    (neighbours(axis), 1, rows, row, first_label, last_label, step % 2 ? other : values,
     step % 2 ? values : other);
  }
}

std::size_t Lattice::bytes() const {
  return (links_.size() + late_.size()) * sizeof(Link) + late_starts_.size() * sizeof(unsigned) +
         neighbours_.size() * sizeof(unsigned[2]);
}
