// Slice and splat of a few consecutive pixels, G vectors of labels from `label` on: shared by the plain
// filter and the fused update.
#pragma once

#include "crf/simd/row_vector.h"

namespace ISA {
namespace {

// Links of consecutive pixels. `D` is the degree where the compiler may unroll, else 0.
template <int D>
struct Links {
  const Link* first;
  int other_degree;

  int degree() const { return D ? D : other_degree; }
  const Link* of(std::size_t pixel) const { return first + pixel * degree(); }
};

// Calls function(links) with the degrees of position (3) and position and colour (6) as constants.
template <class Function>
inline __attribute__((always_inline)) void with_links(const Link* links, int degree, std::size_t first_pixel,
                                                      const Function& function) {
  links += first_pixel * degree;
  if (degree == 3) {
    function(Links<3>{links, degree});
  } else if (degree == 6) {
    function(Links<6>{links, degree});
  } else {
    function(Links<0>{links, degree});
  }
}

// The vertex's row of values. The empty asm keeps compilers from computing the address of each of its vectors
// on its own.
template <class Float>
inline __attribute__((always_inline)) Float* row_of(Float* values, unsigned vertex, std::size_t row) {
  Float* from = values + vertex * row;
  asm("" : "+r"(from));
  return from;
}

// x in all lanes, in a register: a product with a number in memory then broadcasts on its way.
inline __attribute__((always_inline)) Vec broadcast_row(float x) {
  Vec v = x - Vec{};  // exact for -0 too
#if defined(ISA_AVX2) || defined(ISA_AVX512)
  asm("" : "+x"(v));
#endif
  return v;
}

// sum[g] = sum of weight * gain * values[vertex], over the pixel's links.
template <int G, int D>
inline __attribute__((always_inline)) void slice(const Links<D>& links, std::size_t pixel, const Vec& gain,
                                                 std::size_t row, const float* values, Vec (&sum)[G]) {
#pragma GCC unroll 4
  for (int g = 0; g < G; ++g) sum[g] = Vec{};
  const Link* link = links.of(pixel);
  for (int r = 0; r < links.degree(); ++r) {
    const Vec weight = link[r].weight * gain;
    const float* from = row_of(values, link[r].index, row);
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) sum[g] += weight * load_row(from + g * kRow);
  }
}

// What a link's weight is multiplied by before a splat.
struct Factor {
  Vec pre;
  Vec of(float weight) const { return weight * pre; }
};
struct NoFactor {
  Vec of(float weight) const { return broadcast_row(weight); }
};

// values[vertex] += weight * pre * q, over the pixel's links to vertices from first_vertex on. Returns
// whether there are others.
template <int G, int D, class Pre>
inline __attribute__((always_inline)) bool splat(const Links<D>& links, std::size_t pixel,
                                                 unsigned first_vertex, const Pre& pre, std::size_t row,
                                                 const Vec (&q)[G], float* values) {
  bool others = false;
  const Link* link = links.of(pixel);
  for (int r = 0; r < links.degree(); ++r) {
    if (link[r].index < first_vertex) {
      others = true;
      continue;
    }
    const Vec weight = pre.of(link[r].weight);
    float* to = row_of(values, link[r].index, row);
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) store_row(to + g * kRow, load_row(to + g * kRow) + weight * q[g]);
  }
  return others;
}

}  // namespace
}  // namespace ISA
