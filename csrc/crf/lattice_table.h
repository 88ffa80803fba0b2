// A lattice over N points.
#pragma once

#include <cstdint>
#include <vector>

#include "crf/key_table.h"
#include "crf/lattice.h"
#include "platform/buffer.h"

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
  // features: [dims, points], one plane a feature. wide_keys: where keys of 16 bits do not do, take doubles
  // and keys of 32 bits. Throws std::overflow_error if a key does not fit.
  Lattice(const float* features, std::size_t points, int dims, bool wide_keys, int threads);

  std::size_t points() const { return points_; }
  int dims() const { return dims_; }
  // Vertices are numbered 1..vertices(); row 0 of a table of values is 0, the value of an absent vertex.
  unsigned vertices() const { return vertices_; }
  // Whether it needed keys of 32 bits.
  bool wide() const { return wide_; }

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
  template <class Key>
  void connect(const KeyTable& table, int threads);

  std::size_t points_;
  int dims_;
  unsigned vertices_ = 0;
  bool wide_ = false;
  Buffer<Link> links_;              // [points, dims + 1]
  std::vector<PixelStrip> strips_;  // at least one
  Buffer<Link> late_;               // (pixel, weight), vertex by vertex
  Buffer<unsigned> late_starts_;    // of each vertex's list, up to the last strip's first vertex
  Buffer<unsigned[2]> neighbours_;  // [dims + 1, vertices + 1]
};
