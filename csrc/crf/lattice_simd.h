// What lattice.cpp and mean_field.cpp call in crf/simd: blocks of lanes, ranges of vertices or pixels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "crf/lattice.h"
#include "platform/isa.h"

// Rows of a lattice's values hold the labels, rounded up to this many floats.
constexpr int kRow = 8;
// At most so many pixels' softmax is computed together.
constexpr int kUpdateTile = 64;

static inline std::size_t padded_labels(std::size_t labels) { return (labels + kRow - 1) / kRow * kRow; }

// kLanes embedded points. Rows are padded to `width` 16-bit integers, so that keys compare as 64-bit words.
struct EmbeddedBlock {
  std::int16_t remainder_0[kLanes][kMaxLaneDims];  // [point, d]
  std::int16_t rank[kLanes][kMaxLaneDims];         // [point, d]
  float weight[kMaxLaneDims + 2][kLanes];          // [vertex, point]
};

// One kernel's part of a mean-field update: t += scale * label_weight (or compatibility) * slice(values), and
// its next splat.
struct KernelTerm {
  const Link* links;           // [points, degree]
  int degree;                  // d + 1
  float gain;                  // of the slice
  const float* values;         // [vertices + 1, padded labels], or null: no slice
  const float* scale;          // [points]
  const float* label_weights;  // [padded labels], or null
  const float* compatibility;  // [labels, padded labels] (from, to), or null
  const float* pre;            // [points], or null
  float* next;                 // like values: what the new q is splatted to, or null
  unsigned first_vertex;       // links to vertices before this one are left for later
};

DECLARE_PER_ISA(
    // features: d planes of kLanes values, `plane` floats apart. False if a key leaves 16 bits.
    bool embed_block(const float* features, std::size_t plane, int d, const float* scales,
                     EmbeddedBlock& out);
    // values[v] += weight * (pre *) q for the links of pixels first..last-1 to vertices from first_vertex on.
    void splat_pixels(const Link* links, int degree, unsigned first_vertex, std::size_t first,
                      std::size_t last, const float* q, std::size_t q_stride, std::size_t row,
                      const float* pre, float* values);
    // values[v] += sum of weight * (pre *) q over the vertex's list, in order; first..last-1 are vertices.
    void splat_lists(const unsigned* starts, const Link* list, std::size_t first, std::size_t last,
                     const float* q, std::size_t q_stride, std::size_t row, const float* pre, float* values);
    // One axis of the blur, of the labels first_label..last_label-1; neighbours: [vertices + 1, 2].
    void blur_vertices(const unsigned (*neighbours)[2], std::size_t first, std::size_t last, std::size_t row,
                       std::size_t first_label, std::size_t last_label, const float* from, float* to);
    // out[p] = slice of values at pixel p; rows of out are `labels` floats.
    void slice_pixels(const Link* links, int degree, float gain, std::size_t first, std::size_t last,
                      std::size_t labels, const float* values, float* out);
    // q[p] = softmax(-unary[p] + terms), p = first..last-1, splatted to the terms' `next`; rows of q and
    // unary are `labels` floats. Where all terms have a `next`, q is written only for pixels with links left
    // for later. scratch: 2 * kUpdateTile + 2 padded rows. Returns the first pixel whose softmax is not a
    // number, or `last`.
    std::size_t update_pixels(const KernelTerm* terms, int count, const float* unary, float* q,
                              std::size_t first, std::size_t last, std::size_t labels, bool use_true_exp,
                              float* scratch);
    // best[p] = the first of the largest of the labels in row p of q, p = first..last-1.
    void best_of_pixels(const float* q, std::int16_t* best, std::size_t first, std::size_t last,
                        std::size_t labels))
