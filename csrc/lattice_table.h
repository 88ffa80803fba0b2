// A lattice over N points, and the hash table it is built with.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.h"
#include "lattice.h"

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

// Everything filtering needs. Each vertex owns the list of its (pixel, weight) pairs in pixel order, so that
// the splat is a gather: parallel, free of atomics, and summed in the original's order.
class Lattice {
 public:
  // features: [dims, points], one plane a feature. Throws std::overflow_error if a key leaves 16 bits.
  Lattice(const float* features, std::size_t points, int dims, int threads);

  std::size_t points() const { return points_; }
  int dims() const { return dims_; }
  // Vertices are numbered 1..vertices(); row 0 of a table of values is 0, the value of an absent vertex.
  unsigned vertices() const { return vertices_; }

  // Piece number `piece` of `pieces` of the splat: values[v] = sum over the vertex's list. values: rows of
  // `row` floats, [vertices() + 1, row]; q: rows q_stride floats apart, of which `row` can be read; pre: a
  // factor a point, or null.
  void splat(const float* q, std::size_t q_stride, std::size_t row, const float* pre, float* values,
             std::size_t piece, std::size_t pieces) const;
  // All axes of the blur, of some of the labels (they do not mix, so threads need not meet between the axes).
  // `adjoint`: in reverse order. The result is in `blurred` of the two tables.
  void blur(std::size_t row, std::size_t first_label, std::size_t last_label, float* values, float* other,
            bool adjoint) const;
  float* blurred(float* values, float* other) const { return dims_ % 2 ? values : other; }

  // Pairs (vertex, weight * slice gain), [points, dims + 1].
  const Link* slice_links() const { return slice_.data(); }
  // Of each vertex the one before it along the axis and the one behind, [vertices + 1, 2]; 0: none.
  const unsigned (*neighbours(int axis) const)[2] {
    return neighbours_.data() + axis * (std::size_t{vertices_} + 1);
  }
  std::size_t bytes() const;

 private:
  void connect(const KeyTable& table, int threads);

  std::size_t points_;
  int dims_;
  unsigned vertices_ = 0;
  Buffer<Link> slice_;              // [points, dims + 1]
  Buffer<Link> splat_;              // (pixel, weight), vertex by vertex
  Buffer<unsigned> starts_;         // [vertices + 2], of each vertex's list in splat_
  Buffer<unsigned[2]> neighbours_;  // [dims + 1, vertices + 1]
};
