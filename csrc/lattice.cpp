#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "lattice_simd.h"
#include "lattice_table.h"

namespace {

// `W` is the number of words where the compiler may unroll, else 0.
template <int W>
inline std::uint32_t hash_key(const std::uint64_t* key, int words) {
  std::uint64_t h = 0;
  for (int w = 0; w < (W ? W : words); ++w) {
    h = (h ^ key[w]) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  }
  return static_cast<std::uint32_t>(h >> 16);
}

template <int W>
inline bool same_key(const std::uint64_t* a, const std::uint64_t* b, int words) {
  std::uint64_t difference = 0;
  for (int w = 0; w < (W ? W : words); ++w) difference |= a[w] ^ b[w];
  return difference == 0;
}

// A strip of consecutive points, embedded by one thread into its own table; the tables are merged afterwards.
struct Strip {
  std::size_t first, last;  // points
  KeyTable table;
  std::vector<unsigned> counts;   // pixels a local vertex has, then where its next pixel goes
  std::vector<unsigned> numbers;  // local vertex -> vertex
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

// Embeds the strip's points; slice links get local vertex numbers and plain weights.
void embed_strip(const float* features, std::size_t points, std::size_t with_fillers, int dims,
                 const float* scales, Strip& strip, Link* links) {
  EmbeddedBlock block;
  std::memset(&block, 0, sizeof block);
  std::vector<float> padded;
  const unsigned degree = dims + 1;
  alignas(8) short key[kMaxDims] = {};
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
          ++strip.counts[last_links[r].index];
          own[r] = {last_links[r].index, block.weight[r][lane]};
        }
      } else {
        for (unsigned r = 0; r < degree; ++r) {
          for (int i = 0; i < dims; ++i) {
            key[i] = static_cast<short>(vertex_coordinate(remainder_0[i], rank[i], r, dims));
          }
          const unsigned vertex = strip.table.insert(key_words);
          if (vertex >= strip.counts.size()) strip.counts.push_back(0);
          if (p >= points) continue;
          ++strip.counts[vertex];
          own[r] = {vertex, block.weight[r][lane]};
        }
      }
      last_remainder_0 = remainder_0, last_rank = rank, last_links = own;
    }
  }
}

}  // namespace

KeyTable::KeyTable(int dims, std::size_t expected) : words_((dims + 3) / 4), keys_(words_) {
  std::size_t size = 1024;
  while (size < 2 * expected) size *= 2;
  slots_.resize(size);
  mask_ = size - 1;
}

template <int W>
std::size_t KeyTable::locate(const std::uint64_t* key, std::uint32_t hash) const {
  std::size_t i = hash & mask_;
  while (slots_[i].vertex != 0 &&
         !(slots_[i].hash == hash &&
           same_key<W>(keys_.data() + std::size_t{slots_[i].vertex} * (W ? W : words_), key, words_))) {
    i = (i + 1) & mask_;
  }
  return i;
}

template <int W>
inline unsigned KeyTable::find_words(const std::uint64_t* key) const {
  return slots_[locate<W>(key, hash_key<W>(key, words_))].vertex;
}

template <int W>
inline unsigned KeyTable::insert_words(const std::uint64_t* key) {
  const std::uint32_t hash = hash_key<W>(key, words_);
  Slot& slot = slots_[locate<W>(key, hash)];
  if (slot.vertex != 0) return slot.vertex;
  return add(key, slot, hash);
}

unsigned KeyTable::find(const std::uint64_t* key) const {
  return words_ == 1 ? find_words<1>(key) : words_ == 2 ? find_words<2>(key) : find_words<0>(key);
}

unsigned KeyTable::insert(const std::uint64_t* key) {
  return words_ == 1 ? insert_words<1>(key) : words_ == 2 ? insert_words<2>(key) : insert_words<0>(key);
}

unsigned KeyTable::add(const std::uint64_t* key, Slot& slot, std::uint32_t hash) {
  keys_.insert(keys_.end(), key, key + words_);
  const unsigned vertex = count();
  slot = {hash, vertex};
  if (2 * std::size_t{vertex} > mask_) grow();
  return vertex;
}

void KeyTable::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.vertex == 0) continue;
    std::size_t i = slot.hash & mask_;
    while (slots_[i].vertex != 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

Lattice::Lattice(const float* features, std::size_t points, int dims, int threads)
    : points_(points), dims_(dims) {
  const std::size_t degree = static_cast<std::size_t>(dims) + 1;
  if (points * degree >= (std::size_t{1} << 32) - kLanes * degree) {
    throw std::overflow_error("too many points for one lattice");
  }
  float scales[kMaxDims];
  for (int i = 0; i < dims; ++i) scales[i] = elevation_scale(i, dims);

  slice_ = Buffer<Link>(points * degree);
  const std::size_t with_fillers = (points + kGroup - 1) / kGroup * kGroup;
  const std::size_t blocks = (with_fillers + kLanes - 1) / kLanes;
  std::vector<Strip> strips;
  for (int t = 0; t < threads; ++t) {
    strips.push_back({blocks * t / threads * kLanes,
                      std::min(blocks * (t + 1) / threads * kLanes, with_fillers),
                      KeyTable(dims),
                      {0},
                      {},
                      true});
  }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 0; t < threads; ++t) {
    embed_strip(features, points, with_fillers, dims, scales, strips[t], slice_.data());
  }

  // First touch in pixel order numbers the vertices, however many strips there are.
  KeyTable& table = strips[0].table;
  for (int t = 0; t < threads; ++t) {
    Strip& strip = strips[t];
    if (!strip.fits) throw std::overflow_error("features too large for 16-bit lattice coordinates");
    strip.numbers.resize(strip.counts.size());
    for (unsigned v = 1; v < strip.counts.size(); ++v) {
      strip.numbers[v] = t == 0 ? v : table.insert(strip.table.key(v));
    }
  }
  vertices_ = table.count();

  // Counting sort of all links by vertex: each strip gets its place within each list.
  starts_ = Buffer<unsigned>(std::size_t{vertices_} + 2);
  std::memset(starts_.data(), 0, starts_.size() * sizeof(unsigned));
  for (const Strip& strip : strips) {
    for (unsigned v = 1; v < strip.counts.size(); ++v) starts_[strip.numbers[v] + 1] += strip.counts[v];
  }
  for (unsigned v = 0; v <= vertices_; ++v) starts_[v + 1] += starts_[v];
  std::vector<unsigned> next(starts_.data(), starts_.data() + vertices_ + 1);
  for (Strip& strip : strips) {
    for (unsigned v = 1; v < strip.counts.size(); ++v) {
      const unsigned count = strip.counts[v];
      strip.counts[v] = next[strip.numbers[v]];
      next[strip.numbers[v]] += count;
    }
  }
  splat_ = Buffer<Link>(points * degree);
  const float gain = slice_gain(dims);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 0; t < threads; ++t) {
    Strip& strip = strips[t];
    for (std::size_t p = strip.first; p < std::min(strip.last, points); ++p) {
      for (std::size_t r = 0; r < degree; ++r) {
        Link& link = slice_[p * degree + r];
        splat_[strip.counts[link.index]++] = {static_cast<unsigned>(p), link.weight};
        link = {strip.numbers[link.index], link.weight * gain};
      }
    }
  }
  connect(table, threads);
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

void Lattice::splat(const float* q, std::size_t q_stride, std::size_t row, const float* pre, float* values,
                    std::size_t piece, std::size_t pieces) const {
  // Pieces with about the same number of list entries each.
  const std::size_t rows = std::size_t{vertices_} + 1;
  const auto border = [&](std::size_t i) -> std::size_t {
    if (i == 0 || i == pieces) return i == 0 ? 1 : rows;
    const auto wanted = static_cast<unsigned>(std::size_t{starts_[rows]} * i / pieces);
    return std::lower_bound(starts_.data() + 1, starts_.data() + rows, wanted) - starts_.data();
  };
  if (piece == 0) std::fill(values, values + row, 0.0f);
  SELECT_ISA(splat_vertices)
  (starts_.data(), splat_.data(), border(piece), border(piece + 1), q, q_stride, row, pre, values);
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
  return (slice_.size() + splat_.size()) * sizeof(Link) + starts_.size() * sizeof(unsigned) +
         neighbours_.size() * sizeof(unsigned[2]);
}
