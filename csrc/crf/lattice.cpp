#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "crf/lattice_simd.h"
#include "crf/lattice_table.h"

namespace {

// A strip of consecutive points, embedded by one thread into its own table; the tables are merged afterwards.
struct Strip {
  std::size_t first, last;  // points
  KeyTable table;
  bool fits = true;
};

// Rows of shorts are padded with 0 to whole words.
inline bool same_shorts(const short* a, const short* b, int count) {
  std::uint64_t difference = 0;
  for (int i = 0; i < count; i += 4) {
    std::uint64_t x, y;
    std::memcpy(&x, a + i, sizeof x);
    std::memcpy(&y, b + i, sizeof y);
    difference |= x ^ y;
  }
  return difference == 0;
}

// Eight coordinates at a time: a key is read as words right after it was made, which is slow if it was
// written in smaller pieces.
typedef short Shorts __attribute__((vector_size(16)));

// The key of vertex r: vertex_coordinate of all coordinates. `used` is -1 for each of them, 0 for the
// padding.
void make_key(const short* remainder_0, const short* rank, int r, int dims, const short* used, short* key) {
  const short step = static_cast<short>(r), period = static_cast<short>(dims + 1);
  for (int i = 0; i < dims; i += 8) {
    Shorts remainder, ranks, mask;
    std::memcpy(&remainder, remainder_0 + i, sizeof remainder);
    std::memcpy(&ranks, rank + i, sizeof ranks);
    std::memcpy(&mask, used + i, sizeof mask);
    const Shorts wraps = ranks + step >= period;
    const Shorts coordinates = (remainder + step - (wraps & period)) & mask;
    std::memcpy(key + i, &coordinates, sizeof coordinates);
  }
}

// Embeds the strip's points; links get local vertex numbers.
void embed_strip(const float* features, std::size_t points, std::size_t with_fillers, int dims,
                 const float* scales, Strip& strip, Link* links) {
  EmbeddedBlock block;
  std::memset(&block, 0, sizeof block);
  std::vector<float> padded;
  const unsigned degree = dims + 1;
  alignas(16) short key[kMaxDims] = {};
  short used[kMaxDims] = {};
  std::fill(used, used + dims, short{-1});
  const std::uint64_t* const key_words = reinterpret_cast<const std::uint64_t*>(key);
  // The simplex of the pixel before: often this pixel's too.
  const short* last_remainder_0 = nullptr;
  const short* last_rank = nullptr;
  const Link* last_links = nullptr;
  for (std::size_t begin = strip.first; begin < strip.last; begin += kLanes) {
    const float* source = features + begin;
    std::size_t plane = points;
    if (begin + kLanes > points) {
      padded.assign(static_cast<std::size_t>(dims) * kLanes, 0.0f);
      for (int i = 0; i < dims; ++i) {
        std::copy(features + i * points + begin, features + (i + 1) * points, padded.begin() + i * kLanes);
      }
      source = padded.data();
      plane = kLanes;
    }
    if (!SELECT_ISA(embed_block)(source, plane, dims, scales, block)) {
      strip.fits = false;
      return;
    }
    const std::size_t lanes = std::min<std::size_t>(kLanes, with_fillers - begin);
    last_links = nullptr;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::size_t p = begin + lane;
      Link* const own = links + p * degree;
      const short* remainder_0 = block.remainder_0[lane];
      const short* rank = block.rank[lane];
      if (last_links != nullptr && p < points && same_shorts(remainder_0, last_remainder_0, dims) &&
          same_shorts(rank, last_rank, dims)) {
        for (unsigned r = 0; r < degree; ++r) {
          own[r] = {last_links[r].index, block.weight[r][lane]};
        }
      } else {
        for (unsigned r = 0; r < degree; ++r) {
          make_key(remainder_0, rank, static_cast<int>(r), dims, used, key);
          const unsigned vertex = strip.table.insert(key_words);
          if (p >= points) continue;
          own[r] = {vertex, block.weight[r][lane]};
        }
      }
      last_remainder_0 = remainder_0, last_rank = rank, last_links = own;
    }
  }
}

}  // namespace

Lattice::Lattice(const float* features, std::size_t points, int dims, int threads)
    : points_(points), dims_(dims) {
  const std::size_t degree = static_cast<std::size_t>(dims) + 1;
  if (points * degree >= (std::size_t{1} << 32) - kLanes * degree) {
    throw std::overflow_error("too many points for one lattice");
  }
  float scales[kMaxDims];
  for (int i = 0; i < dims; ++i) scales[i] = elevation_scale(i, dims);

  links_ = Buffer<Link>(points * degree);
  const std::size_t with_fillers = (points + kGroup - 1) / kGroup * kGroup;
  const std::size_t blocks = (with_fillers + kLanes - 1) / kLanes;
  std::vector<Strip> strips;
  for (int t = 0; t < threads; ++t) {
    strips.push_back({blocks * t / threads * kLanes,
                      std::min(blocks * (t + 1) / threads * kLanes, with_fillers), KeyTable((dims + 3) / 4)});
    strips_.push_back({std::min(strips[t].first, points), std::min(strips[t].last, points), 0, 0});
  }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 0; t < threads; ++t) {
    embed_strip(features, points, with_fillers, dims, scales, strips[t], links_.data());
  }

  // First touch in pixel order numbers the vertices, however many strips there are.
  KeyTable& table = strips[0].table;
  std::vector<std::vector<unsigned>> numbers(threads);  // of a strip's vertices in the whole lattice
  for (int t = 0; t < threads; ++t) {
    if (!strips[t].fits) throw std::overflow_error("features too large for 16-bit lattice coordinates");
    strips_[t].first_vertex = t == 0 ? 1 : table.count() + 1;
    numbers[t].resize(t == 0 ? 0 : strips[t].table.count() + 1);
    for (unsigned v = 1; v < numbers[t].size(); ++v) numbers[t][v] = table.insert(strips[t].table.key(v));
    strips_[t].last_vertex = table.count() + 1;
  }
  vertices_ = table.count();
  list_late_links(numbers, threads);
  connect(table, threads);
}

void Lattice::list_late_links(const std::vector<std::vector<unsigned>>& numbers, int threads) {
  const std::size_t degree = static_cast<std::size_t>(dims_) + 1;
  const unsigned end = strips_.back().first_vertex;
  // A counting sort by vertex: each strip gets its place within each list.
  std::vector<std::vector<unsigned>> next(threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 1; t < threads; ++t) {
    const PixelStrip& strip = strips_[t];
    next[t].resize(strip.first_vertex);
    for (std::size_t i = strip.first * degree; i < strip.last * degree; ++i) {
      links_[i].index = numbers[t][links_[i].index];
      if (links_[i].index < strip.first_vertex) ++next[t][links_[i].index];
    }
  }
  late_starts_ = Buffer<unsigned>(std::size_t{end} + 1);
  unsigned count = 0;
  late_starts_[0] = 0;
  for (unsigned v = 1; v < end; ++v) {
    late_starts_[v] = count;
    for (int t = 1; t < threads; ++t) {
      if (v >= next[t].size()) continue;
      const unsigned own = next[t][v];
      next[t][v] = count;
      count += own;
    }
  }
  late_starts_[end] = count;
  late_ = Buffer<Link>(count);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 1; t < threads; ++t) {
    const PixelStrip& strip = strips_[t];
    for (std::size_t p = strip.first; p < strip.last; ++p) {
      for (std::size_t i = p * degree; i < (p + 1) * degree; ++i) {
        const unsigned vertex = links_[i].index;
        if (vertex < strip.first_vertex)
          late_[next[t][vertex]++] = {static_cast<unsigned>(p), links_[i].weight};
      }
    }
  }
}

void Lattice::connect(const KeyTable& table, int threads) {
  const std::size_t rows = std::size_t{vertices_} + 1;
  neighbours_ = Buffer<unsigned[2]>(rows * (dims_ + 1));
  std::memset(neighbours_.data(), 0, neighbours_.size() * sizeof(unsigned[2]));
#pragma omp parallel for num_threads(threads)
  for (unsigned v = 1; v <= vertices_; ++v) {
    std::uint64_t words[kMaxDims / 4 + 1] = {};
    const short* key = reinterpret_cast<const short*>(table.key(v));
    short* previous = reinterpret_cast<short*>(words);
    for (int axis = 0; axis <= dims_; ++axis) {
      for (int i = 0; i < dims_; ++i) {
        previous[i] = static_cast<short>(previous_coordinate(key[i], i, axis, dims_));
      }
      const unsigned found = table.find(words);
      if (found == 0) continue;
      // The step back of one is the step forward of the other, so no two threads write the same number.
      neighbours_[axis * rows + v][0] = found;
      neighbours_[axis * rows + found][1] = v;
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
