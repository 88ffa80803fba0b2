// Construction of the lattice: embedding, a hash table of the vertices, their numbers, neighbours and lists.
//
// A link is one (point, vertex of its simplex); links are numbered point by point. A vertex is found by the
// number of its first link, which the hash table holds, and gets its number by counting first links: no order
// of execution enters the result. The original's filler points (see crf/lattice.h), one an image, come last.
#include <algorithm>
#include <stdexcept>

#include "crf/cuda/lattice.h"
#include "crf/cuda/radix_sort.h"
#include "crf/lattice_point.h"
#include "platform/cuda/runtime.cuh"

namespace device {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kRounds = 8;  // links a thread, where they are counted
constexpr unsigned kTile = kThreads * kRounds;
constexpr int kScanThreads = 1024;
constexpr unsigned kEmpty = 0xffffffffu, kWholeWarp = 0xffffffffu;

// Hands out aligned pieces of a block of memory; of null, to learn its size.
class Carver {
 public:
  explicit Carver(void* memory) : memory_(static_cast<char*>(memory)) {}
  template <typename T>
  T* take(std::size_t count) {
    T* const piece = reinterpret_cast<T*>(memory_ + used_);
    used_ += (count * sizeof(T) + 255) / 256 * 256;
    return piece;
  }
  std::size_t used() const { return used_; }

 private:
  char* memory_;
  std::size_t used_ = 0;
};

struct Embedding {
  unsigned points, images, links, table_mask;  // links: those of the fillers included
  int dims;
  std::uint64_t* keys;   // [links, words]
  float* weights;        // [points, dims + 1]
  unsigned* table;       // [table_mask + 1], the first link of a vertex
  unsigned* slots;       // [links], where in the table its vertex is; then each link's vertex
  unsigned* numbers;     // [links], of a first link: its vertex
  unsigned* first_link;  // [links + 1], of a vertex
  unsigned* tile_sums;   // first links in each tile, then in the tiles before
  SortBuffers sort;
  std::size_t bytes;

  Embedding(unsigned point_count, unsigned image_count, int dimensions, void* scratch)
      : points(point_count), images(image_count), dims(dimensions) {
    const std::size_t degree = dims + 1, all = (std::size_t{points} + images) * degree;
    std::size_t size = 1024;
    while (4 * size < 5 * all) size *= 2;
    if (size > std::size_t{1} << 31) throw std::overflow_error("too many points for one lattice");
    links = static_cast<unsigned>(all);
    table_mask = static_cast<unsigned>(size - 1);
    Carver carver(scratch);
    keys = carver.take<std::uint64_t>(all * key_words(dims));
    weights = carver.take<float>(points * degree);
    table = carver.take<unsigned>(size);
    slots = carver.take<unsigned>(all);
    numbers = carver.take<unsigned>(all);
    first_link = carver.take<unsigned>(all + 1);
    tile_sums = carver.take<unsigned>(all / kTile + 1);
    sort.keys[0] = slots;
    sort.keys[1] = carver.take<unsigned>(points * degree);
    for (unsigned*& values : sort.values) values = carver.take<unsigned>(points * degree);
    sort.digit_counts = carver.take<unsigned>(digit_count_words(points * degree));
    bytes = carver.used();
  }
};

struct Scales {
  float scale[kMaxDeviceDims];
};

// The image that a point is of: images lie one after the other, image_starts [images] ascends.
__device__ unsigned image_of(const unsigned* image_starts, unsigned images, unsigned point) {
  unsigned first = 0, last = images;
  while (last - first > 1) {
    const unsigned middle = (first + last) / 2;
    if (image_starts[middle] <= point) {
      first = middle;
    } else {
      last = middle;
    }
  }
  return first;
}

template <int D>
KERNEL(kThreads, 1)
void embed_points(const float* features, const unsigned* image_starts, Embedding all, Scales scales,
                  unsigned* overflow) {
  const unsigned p = blockIdx.x * kThreads + threadIdx.x;
  if (p >= all.points + all.images) return;
  const bool filler = p >= all.points;
  const unsigned image = filler ? p - all.points : image_of(image_starts, all.images, p);
  const bool needed = !filler || (image_starts[image + 1] - image_starts[image]) % kGroup != 0;
  float f[D];
#pragma unroll
  for (int i = 0; i < D; ++i) f[i] = filler ? 0.0f : features[std::size_t{all.points} * i + p];
  Simplex<D> simplex;
  if (!embed_point(f, scales.scale, simplex)) *overflow = 1;
  const std::size_t link = std::size_t{p} * (D + 1);
  auto* const keys = reinterpret_cast<VertexKey<key_words(D)>*>(all.keys) + link;
#pragma unroll
  for (int r = 0; r <= D; ++r) {
    if (!filler) all.weights[link + r] = simplex.weight[r];
  }
#pragma unroll(D > 5 ? 1 : D + 1)  // side by side, many keys would take too many registers
  for (int r = 0; r <= D; ++r) {
    keys[r] = vertex_key(simplex, r, image);
    all.slots[link + r] = needed ? 0 : kEmpty;
  }
}

// Each link finds its vertex's slot; the least of its links stays in it.
template <int W>
KERNEL(kThreads, 1)
void insert_links(Embedding all) {
  const unsigned link = blockIdx.x * kThreads + threadIdx.x;
  if (link >= all.links || all.slots[link] == kEmpty) return;
  const auto* const keys = reinterpret_cast<const VertexKey<W>*>(all.keys);
  const VertexKey<W> key = keys[link];
  unsigned slot = hash_key(key) & all.table_mask;
  while (true) {
    unsigned seen = *const_cast<volatile unsigned*>(all.table + slot);
    if (seen == kEmpty) {
      seen = atomicCAS(all.table + slot, kEmpty, link);
      if (seen == kEmpty) break;
    }
    // Whichever of its links a slot holds, the key is the same.
    if (same_key(keys[seen], key)) {
      if (link < seen) atomicMin(all.table + slot, link);
      break;
    }
    slot = (slot + 1) & all.table_mask;
  }
  all.slots[link] = slot;
}

// Each warp takes a run of 32 * kRounds links, 32 at a time.
__device__ __forceinline__ unsigned tile_link(int round) {
  return blockIdx.x * kTile + threadIdx.x / 32 * (32 * kRounds) + round * 32 + threadIdx.x % 32;
}

// A bit for each of this round's links that is the first of its vertex.
__device__ __forceinline__ unsigned first_links(const Embedding& all, unsigned link) {
  const unsigned slot = link < all.links ? all.slots[link] : kEmpty;
  return __ballot_sync(kWholeWarp, slot != kEmpty && all.table[slot == kEmpty ? 0 : slot] == link);
}

KERNEL(kThreads, 1)
void count_vertices(Embedding all) {
  __shared__ unsigned sums[kWarps];
  unsigned sum = 0;
  for (int round = 0; round < kRounds; ++round) sum += __popc(first_links(all, tile_link(round)));
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < kWarps; ++w) sum += sums[w];
  all.tile_sums[blockIdx.x] = sum;
}

// One block: the tiles' sums become sums over the tiles before.
KERNEL(kScanThreads, 1)
void scan_vertices(Embedding all, unsigned tiles, unsigned* vertices) {
  __shared__ unsigned sums[kScanThreads / 32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  unsigned carry = 0;
  for (unsigned first = 0; first < tiles; first += kScanThreads) {
    const unsigned tile = first + threadIdx.x;
    const unsigned own = tile < tiles ? all.tile_sums[tile] : 0;
    unsigned sum = own;
    for (int delta = 1; delta < 32; delta *= 2) {
      const unsigned other = __shfl_up_sync(kWholeWarp, sum, delta);
      if (lane >= delta) sum += other;
    }
    if (lane == 31) sums[warp] = sum;
    __syncthreads();
    unsigned before = 0, total = 0;
    for (int w = 0; w < kScanThreads / 32; ++w) {
      if (w < warp) before += sums[w];
      total += sums[w];
    }
    if (tile < tiles) all.tile_sums[tile] = carry + before + sum - own;
    carry += total;
    __syncthreads();
  }
  if (threadIdx.x == 0) *vertices = carry;
}

KERNEL(kThreads, 1)
void number_vertices(Embedding all) {
  __shared__ unsigned sums[kWarps];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  unsigned first[kRounds], sum = 0;
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    first[round] = first_links(all, tile_link(round));
    sum += __popc(first[round]);
  }
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  unsigned number = all.tile_sums[blockIdx.x] + 1;
  for (int w = 0; w < warp; ++w) number += sums[w];
#pragma unroll
  for (int round = 0; round < kRounds; ++round) {
    if (first[round] >> lane & 1) {
      const unsigned vertex = number + __popc(first[round] & ((1u << lane) - 1));
      all.numbers[tile_link(round)] = vertex;
      all.first_link[vertex] = tile_link(round);
    }
    number += __popc(first[round]);
  }
}

KERNEL(kThreads, 1)
void link_vertices(Embedding all, Link* slice, unsigned links, float gain) {
  const unsigned link = blockIdx.x * kThreads + threadIdx.x;
  if (link >= links) return;
  const unsigned vertex = all.numbers[all.table[all.slots[link]]];
  all.slots[link] = vertex;
  slice[link] = {vertex, all.weights[link] * gain};
}

// From the links in the order of their vertices: each vertex's list, and where it starts.
KERNEL(kThreads, 1)
void fill_lists(Lattice lattice, const unsigned* vertices, const unsigned* order, const float* weights) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, links = lattice.links;
  if (i >= links) return;
  const unsigned link = order[i];
  lattice.splat[i] = {link / (lattice.dims + 1), weights[link]};
  // Vertices between this one and the one before have no points: fillers touch them.
  for (unsigned v = i == 0 ? 0 : vertices[i - 1] + 1; v <= vertices[i]; ++v) lattice.starts[v] = i;
  if (i + 1 < links) return;
  for (unsigned v = vertices[i] + 1; v <= lattice.vertices + 1; ++v) lattice.starts[v] = links;
}

KERNEL(kThreads, 1)
void list_long_lists(Lattice lattice) {
  const unsigned v = blockIdx.x * kThreads + threadIdx.x + 1;
  if (v > lattice.vertices) return;
  const unsigned length = lattice.starts[v + 1] - lattice.starts[v];
  unsigned first = 0;
  for (int c = 0; c < kListClasses; ++c) {
    if (length >= least_length(c)) {
      lattice.long_lists[first + atomicAdd(lattice.long_list_counts + c, 1u)] = v;
      return;
    }
    first += lattice.links / least_length(c);
  }
}

template <int D>
KERNEL(kThreads, 1)
void find_neighbours(Lattice lattice, Embedding all) {
  const unsigned v = blockIdx.x * kThreads + threadIdx.x + 1, axis = blockIdx.y;
  if (v > lattice.vertices) return;
  const auto* const keys = reinterpret_cast<const VertexKey<key_words(D)>*>(all.keys);
  const auto key = previous_key<D>(keys[all.first_link[v]], static_cast<int>(axis));
  unsigned slot = hash_key(key) & all.table_mask;
  for (unsigned seen; (seen = all.table[slot]) != kEmpty; slot = (slot + 1) & all.table_mask) {
    if (!same_key(keys[seen], key)) continue;
    // The step back of one is the step forward of the other, so no two threads write the same number.
    unsigned (*const neighbours)[2] = lattice.neighbours + std::size_t{lattice.vertices + 1} * axis;
    const unsigned found = all.numbers[seen];
    neighbours[v][0] = found;
    neighbours[found][1] = v;
    return;
  }
}

struct Deviations {
  float value[kMaxDeviceDims];
};

KERNEL(kThreads, 1)
void feature_planes(const float* image, unsigned pixels, unsigned width, int channels, Deviations stds,
                    float* planes, std::size_t plane) {
  const unsigned p = blockIdx.x * kThreads + threadIdx.x;
  if (p >= pixels) return;
  planes[p] = static_cast<float>(p % width) / stds.value[0];
  planes[plane + p] = static_cast<float>(p / width) / stds.value[1];
  for (int c = 0; c < channels; ++c) {
    planes[plane * (2 + c) + p] = image[std::size_t{p} * channels + c] / stds.value[2 + c];
  }
}

KERNEL(kThreads, 1)
void norms(const float* ones, std::size_t stride, bool root, float* out, std::size_t points) {
  const std::size_t p = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (p >= points) return;
  const float total = ones[p * stride] + 1e-20f;
  out[p] = 1.0f / (root ? sqrtf(total) : total);
}

// Calls `function` with the dimensions as a constant.
template <int D = 1, typename Function>
void with_dims(int dims, Function function) {
  if (dims == D) {
    function(std::integral_constant<int, D>());
  } else if constexpr (D < kMaxDeviceDims) {
    with_dims<D + 1>(dims, function);
  } else {
    throw std::invalid_argument("a lattice on a GPU has at most 16 features a point");
  }
}

template <typename Kernel, typename... Arguments>
void launch_each(Kernel kernel, std::size_t work, Stream stream, Arguments... arguments) {
  launch(kernel, block_count(static_cast<std::int64_t>(work), kThreads), kThreads, 0, stream, arguments...);
}

}  // namespace

Lattice::Lattice(unsigned point_count, unsigned vertex_count, int dimensions, void* storage)
    : points(point_count), vertices(vertex_count), links(point_count * (dimensions + 1)), dims(dimensions) {
  const std::size_t degree = dims + 1, all = points * degree;
  Carver carver(storage);
  slice = carver.take<Link>(all);
  splat = carver.take<Link>(all);
  starts = carver.take<unsigned>(std::size_t{vertices} + 2);
  neighbours = carver.take<unsigned[2]>((std::size_t{vertices} + 1) * degree);
  std::size_t lists = 0;
  for (int c = 0; c < kListClasses; ++c) lists += all / least_length(c);
  long_lists = carver.take<unsigned>(lists);
  long_list_counts = carver.take<unsigned>(kListClasses);
  bytes = carver.used();
}

std::size_t Lattice::bytes_of(unsigned points, unsigned vertices, int dims) {
  return Lattice(points, vertices, dims, nullptr).bytes;
}

std::size_t embedding_bytes(unsigned points, unsigned images, int dims) {
  return Embedding(points, images, dims, nullptr).bytes;
}

void lattice_embed(const float* features, const unsigned* image_starts, unsigned points, unsigned images,
                   int dims, void* scratch, unsigned* counts, Stream stream) {
  const Embedding all(points, images, dims, scratch);
  Scales scales{};
  for (int i = 0; i < dims; ++i) scales.scale[i] = elevation_scale<float>(i, dims);
  fill_bytes(counts, 0, 2 * sizeof(unsigned), stream);
  fill_bytes(all.table, 0xff, (std::size_t{all.table_mask} + 1) * sizeof(unsigned), stream);
  with_dims(dims, [&](auto d) {
    launch_each(embed_points<d()>, std::size_t{points} + images, stream, features, image_starts, all, scales,
                counts + 1);
    launch_each(insert_links<key_words(d())>, all.links, stream, all);
  });
  const unsigned tiles = block_count(all.links, kTile);
  launch(count_vertices, tiles, kThreads, 0, stream, all);
  launch(scan_vertices, 1, kScanThreads, 0, stream, all, tiles, counts);
  launch(number_vertices, tiles, kThreads, 0, stream, all);
}

void lattice_connect(const Lattice& lattice, unsigned images, void* scratch, Stream stream) {
  const Embedding all(lattice.points, images, lattice.dims, scratch);
  const std::size_t rows = std::size_t{lattice.vertices} + 1;
  fill_bytes(lattice.neighbours, 0, rows * (lattice.dims + 1) * sizeof(unsigned[2]), stream);
  fill_bytes(lattice.long_list_counts, 0, kListClasses * sizeof(unsigned), stream);
  with_dims(lattice.dims, [&](auto d) {
    const dim3 grid(block_count(lattice.vertices, kThreads), lattice.dims + 1);
    launch(find_neighbours<d()>, grid, kThreads, 0, stream, lattice, all);
  });
  launch_each(link_vertices, lattice.links, stream, all, lattice.slice, lattice.links,
              slice_gain(lattice.dims));
  int bits = 1;
  while (lattice.vertices >> bits) ++bits;
  const int sorted = sort_order(all.sort, lattice.links, bits, stream);
  launch_each(fill_lists, lattice.links, stream, lattice, static_cast<const unsigned*>(all.sort.keys[sorted]),
              static_cast<const unsigned*>(all.sort.values[sorted]), static_cast<const float*>(all.weights));
  launch_each(list_long_lists, lattice.vertices, stream, lattice);
}

void image_features(const float* image, int height, int width, int channels, const float* stds, float* planes,
                    std::size_t plane, Stream stream) {
  if (channels + 2 > kMaxDeviceDims) throw std::invalid_argument("an image on a GPU has at most 14 channels");
  Deviations deviations{};
  std::copy(stds, stds + 2 + channels, deviations.value);
  const unsigned pixels = static_cast<unsigned>(height) * static_cast<unsigned>(width);
  launch_each(feature_planes, pixels, stream, image, pixels, static_cast<unsigned>(width), channels,
              deviations, planes, plane);
}

void filter_norms(const float* ones, std::size_t stride, bool root, float* out, std::size_t points,
                  Stream stream) {
  launch_each(norms, points, stream, ones, stride, root, out, points);
}

}  // namespace device
