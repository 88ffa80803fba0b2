// A lattice over N points, and the hash table it is built with.
#pragma once

#include <cstdint>
#include <vector>

#include "crf/lattice.h"
#include "platform/buffer.h"

// Open addressing over vertex keys: rows of 16-bit integers, padded with 0 to whole 64-bit words. Vertices
// are numbered from 1 in order of insertion; row 0 is unused ("no such vertex").
class KeyTable {
 public:
  explicit KeyTable(int dims, std::size_t expected = 0);

  // The vertex's number; inserted if it is new.
  unsigned insert(const std::uint64_t* key);
  // The vertex's number, or 0.
  unsigned find(const std::uint64_t* key) const;

  unsigned count() const { return static_cast<unsigned>(keys_.size() / words_) - 1; }
  int words() const { return words_; }
  const std::uint64_t* key(unsigned vertex) const { return keys_.data() + std::size_t{vertex} * words_; }

 private:
  struct Slot {
    std::uint32_t hash, vertex;
  };
  template <int W>
  std::size_t locate(const std::uint64_t* key, std::uint32_t hash) const;
  template <int W>
  unsigned find_words(const std::uint64_t* key) const;
  template <int W>
  unsigned insert_words(const std::uint64_t* key);
  unsigned add(const std::uint64_t* key, Slot& slot, std::uint32_t hash);
  void grow();

  int words_;
  std::size_t mask_;
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> keys_;
};

// Consecutive pixels that one thread splats, and the vertices that none of the strips before them touches.
struct PixelStrip {
  std::size_t first, last;  // pixels
  unsigned first_vertex, last_vertex;
};

// Everything filtering needs. The splat sums each vertex's pixels in pixel order, as the original does, yet
// in parallel: each strip of pixels adds to the vertices that it is the first to touch; what later strips
// have for these vertices ("late links") is listed by vertex, in pixel order, and gathered afterwards.
class Lattice {
 public:
  // features: [dims, points], one plane a feature. Throws std::overflow_error if a key leaves 16 bits.
  Lattice(const float* features, std::size_t points, int dims, int threads);

  std::size_t points() const { return points_; }
  int dims() const { return dims_; }
  // Vertices are numbered 1..vertices(); row 0 of a table of values is 0, the value of an absent vertex.
  unsigned vertices() const { return vertices_; }

  // The splat: clear, then splat all pixels of each strip, in order; then all pieces of the late links.
  // values: rows of `row` floats, [vertices() + 1, row]; q: rows q_stride floats apart, of which `row` can be
  // read; pre: a factor a point, or null.
  const std::vector<PixelStrip>& strips() const { return strips_; }
  bool has_late_links() const { return late_.size() > 0; }
  void clear(std::size_t strip, std::size_t row, float* values) const;
  void splat(std::size_t strip, std::size_t first, std::size_t last, const float* q, std::size_t q_stride,
             std::size_t row, const float* pre, float* values) const;
  void splat_late(std::size_t piece, std::size_t pieces, const float* q, std::size_t q_stride,
                  std::size_t row, const float* pre, float* values) const;
  // All axes of the blur, of some of the labels (they do not mix, so threads need not meet between the axes).
  // `adjoint`: in reverse order. The result is in `values` if the lattice blurs in place, else in
  // `other`.
  void blur(std::size_t row, std::size_t first_label, std::size_t last_label, float* values, float* other,
            bool adjoint) const;
  bool blurs_in_place() const { return dims_ % 2 == 1; }

  // Pairs (vertex, weight), [points, dims + 1].
  const Link* links() const { return links_.data(); }
  // Of each vertex the one before it along the axis and the one behind, [vertices + 1, 2]; 0: none.
  const unsigned (*neighbours(int axis) const)[2] {
    return neighbours_.data() + axis * (std::size_t{vertices_} + 1);
  }
  std::size_t bytes() const;

 private:
  void list_late_links(const std::vector<std::vector<unsigned>>& numbers, int threads);
  void connect(const KeyTable& table, int threads);

  std::size_t points_;
  int dims_;
  unsigned vertices_ = 0;
  Buffer<Link> links_;              // [points, dims + 1]
  std::vector<PixelStrip> strips_;  // at least one
  Buffer<Link> late_;               // (pixel, weight), vertex by vertex
  Buffer<unsigned> late_starts_;    // of each vertex's list, up to the last strip's first vertex
  Buffer<unsigned[2]> neighbours_;  // [dims + 1, vertices + 1]
};
