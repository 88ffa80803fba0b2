// The permutohedral lattice on the device (crf/lattice.h has its arithmetic). Memory is the caller's;
// pointers are the device's.
//
// One lattice may hold the points of several images: a vertex's key holds the image's number, so images never
// meet, and everything but the construction sees just points and vertices. Vertices are numbered from 1, in
// the order in which the points touch them; 0 stands for a vertex that is not there.
#pragma once

#include <cstddef>

#include "crf/lattice.h"
#include "platform/cuda/stream.h"

namespace device {

// Long lists are in classes by length, each with a table of its own; the longest come first.
constexpr int kListClasses = 4;
HOST_DEVICE constexpr unsigned least_length(int list_class) {
  return list_class == 0 ? 4096 : list_class == 1 ? 512 : list_class == 2 ? 128 : 32;
}
constexpr unsigned kLongList = 32;

struct Lattice {
  unsigned points, vertices, links;  // links: points * (dims + 1)
  int dims;
  Link* slice;                 // (vertex, weight * slice gain), [points, dims + 1]
  Link* splat;                 // (point, weight), vertex by vertex, in the order of the points
  unsigned* starts;            // of each vertex's list in `splat`, [vertices + 2]
  unsigned (*neighbours)[2];   // one step back and forth along an axis, [dims + 1, vertices + 1]
  unsigned* long_lists;        // vertices with long lists, class by class
  unsigned* long_list_counts;  // [kListClasses]
  std::size_t bytes;           // of all the tables

  // Lays the tables out in `storage`, bytes_of(...) bytes aligned to 256.
  Lattice(unsigned point_count, unsigned vertex_count, int dimensions, void* storage);
  static std::size_t bytes_of(unsigned points, unsigned vertices, int dims);
};

// Construction, first half: embeds the points and numbers the vertices. features: [dims, points];
// image_starts: [images + 1], the first point of each image, and `points`. counts: [2], how many vertices
// there are, and whether a key left 16 bits (1). `scratch`: embedding_bytes(...) aligned to 256, needed by
// the second half too. Throws std::overflow_error if there are too many points.
std::size_t embedding_bytes(unsigned points, unsigned images, int dims);
void lattice_embed(const float* features, const unsigned* image_starts, unsigned points, unsigned images,
                   int dims, void* scratch, unsigned* counts, Stream stream);

// Second half: lists, neighbours.
void lattice_connect(const Lattice& lattice, unsigned images, void* scratch, Stream stream);

// Feature planes [2 + channels, plane] of an image's pixels: column / x_std, row / y_std, then each channel
// over its deviation. image: [height, width, channels], or null; stds are the host's.
void image_features(const float* image, int height, int width, int channels, const float* stds, float* planes,
                    std::size_t plane, Stream stream);

// What normalises a filter whose result for ones is `ones` (its row `stride` floats wide): 1 / ones, or its
// root.
void filter_norms(const float* ones, std::size_t stride, bool root, float* norms, std::size_t points,
                  Stream stream);

}  // namespace device
