// Embedding of a lattice's points: their links to vertices, and the table of the vertices.
#pragma once

#include "crf/key_table.h"
#include "crf/lattice.h"

// 64-bit words of a vertex key of d coordinates.
template <class Key>
constexpr int key_table_words(int d) {
  return (d * static_cast<int>(sizeof(Key)) + 7) / 8;
}

// A strip of consecutive points, embedded by one thread into its own table; the tables are merged afterwards.
// In cache lines of its own, since other threads write to theirs.
struct alignas(64) EmbeddedStrip {
  std::size_t first, last;  // points, with those that fill the last group
  KeyTable table;
  bool fits = true, out_of_memory = false;
};

// Embeds the strip's points; their links (of all points, [points, d + 1]) get the strip's own vertex numbers.
// features: [d, points]. The second form is for many features or large ones.
void embed_strip(const float* features, std::size_t points, int d, EmbeddedStrip& strip, Link* links);
template <class Real, class Key>
void embed_strip_plainly(const float* features, std::size_t points, int d, EmbeddedStrip& strip, Link* links);
