#include "crf/embed_points.h"

#include <algorithm>
#include <cstring>

#include "crf/lattice_simd.h"

namespace {

// Eight coordinates at a time: a key is read as words right after it was made, which is slow if it was
// written in smaller pieces.
typedef std::int16_t Shorts __attribute__((vector_size(16)));
constexpr int kSpareWords = 2;  // what writing eight of them may overrun

// The key of vertex r: vertex_coordinate of all coordinates. `used` is -1 for each of them, 0 for the
// padding.
void make_key(const std::int16_t* remainder_0, const std::int16_t* rank, int r, int d,
              const std::int16_t* used, std::uint64_t* key) {
  const auto step = static_cast<std::int16_t>(r), period = static_cast<std::int16_t>(d + 1);
  for (int i = 0; i < d; i += 8) {
    Shorts remainder, ranks, mask;
    std::memcpy(&remainder, remainder_0 + i, sizeof remainder);
    std::memcpy(&ranks, rank + i, sizeof ranks);
    std::memcpy(&mask, used + i, sizeof mask);
    const Shorts wraps = ranks + step >= period;
    const Shorts coordinates = (remainder + step - (wraps & period)) & mask;
    std::memcpy(key + i / 4, &coordinates, sizeof coordinates);
  }
}

// A pixel of each simplex seen lately, one a slot: neighbours, also those of the row above, often share one,
// and so their vertices.
class RecentSimplices {
 public:
  explicit RecentSimplices(int d) : slots_(d <= kDims ? std::size_t{1} << kSlotBits : 0) {}

  // Where the links of a pixel in that simplex are, or null; the next to be asked for it are told `links`.
  const Link* exchange(const std::int16_t* remainder_0, const std::int16_t* rank, const Link* links) {
    if (slots_.empty()) return nullptr;
    Simplex simplex;
    std::memcpy(simplex.words, remainder_0, sizeof simplex.words / 2);
    std::memcpy(simplex.words + 2, rank, sizeof simplex.words / 2);
    std::uint64_t hash = simplex.words[0] + 0x9E3779B97F4A7C15u * simplex.words[2];
    hash = (hash ^ (hash >> 29)) * 0xBF58476D1CE4E5B9u + simplex.words[1] + (simplex.words[3] << 7);
    hash *= 0x9E3779B97F4A7C15u;
    Slot& slot = slots_[hash >> (64 - kSlotBits)];
    const Link* const known = slot.simplex == simplex ? slot.links : nullptr;
    slot = {simplex, links};
    return known;
  }

 private:
  static constexpr int kDims = 8;
  static constexpr int kSlotBits = 11;
  struct Simplex {
    std::uint64_t words[4];
    bool operator==(const Simplex& other) const {
      return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1]) | (words[2] ^ other.words[2]) |
              (words[3] ^ other.words[3])) == 0;
    }
  };
  struct Slot {
    Simplex simplex = {};
    const Link* links = nullptr;
  };
  std::vector<Slot> slots_;
};

// One point of any number of features.
template <class Real, class Key>
class PointEmbedding {
 public:
  explicit PointEmbedding(int d)
      : d_(d),
        scale_(d),
        elevated_(d + 1),
        difference_(d + 1),
        by_rank_(d + 1),
        remainder_0_(d + 1),
        rank_(d + 1),
        coordinates_(d),
        words_(key_table_words<Key>(d)) {
    for (int i = 0; i < d; ++i) scale_[i] = elevation_scale<Real>(i, d);
  }

  // features: [d], `plane` floats apart, or null: all of them 0. False if a key does not fit.
  bool embed(const float* features, std::size_t plane) {
    Real total = 0;
    for (int j = d_; j >= 1; --j) {
      const Real feature = features == nullptr ? Real{0} : static_cast<Real>(features[(j - 1) * plane]);
      elevated_[j] = elevate(feature, scale_[j - 1], j, total);
    }
    elevated_[0] = total;
    const Real inverse = Real{1} / static_cast<Real>(d_ + 1);
    int sum = 0;
    for (int i = 0; i <= d_; ++i) {
      const Real nearest = nearest_multiple(elevated_[i], inverse);
      const Real remainder_0 = nearest * static_cast<Real>(d_ + 1);
      if (!key_fits<Key>(remainder_0, d_)) return false;
      difference_[i] = elevated_[i] - remainder_0;
      remainder_0_[i] = static_cast<int>(remainder_0);
      sum += static_cast<int>(nearest);
      rank_[i] = 0;
    }
    for (int i = 0; i < d_; ++i) {
      int above = 0;
      for (int j = i + 1; j <= d_; ++j) {
        const int lower = difference_[i] < difference_[j];
        above += lower;
        rank_[j] += 1 - lower;
      }
      rank_[i] += above;
    }
    // Barycentric coordinates (p. 4) are differences of neighbours in rank order.
    std::fill(by_rank_.begin(), by_rank_.end(), Real{0});
    for (int i = 0; i <= d_; ++i) {
      int shift;
      rank_[i] = wrap_rank(rank_[i] + sum, d_, shift);
      remainder_0_[i] += shift;
      by_rank_[rank_[i]] = (elevated_[i] - static_cast<Real>(remainder_0_[i])) * inverse;
    }
    return true;
  }

  float weight(int r) const {
    return static_cast<float>(r == 0 ? first_weight(by_rank_[d_], by_rank_[0])
                                     : by_rank_[d_ - r] - by_rank_[d_ - r + 1]);
  }

  const std::uint64_t* key(int r) {
    for (int i = 0; i < d_; ++i) {
      coordinates_[i] = static_cast<Key>(vertex_coordinate(remainder_0_[i], rank_[i], r, d_));
    }
    std::memcpy(words_.data(), coordinates_.data(), d_ * sizeof(Key));
    return words_.data();
  }

 private:
  int d_;
  std::vector<Real> scale_, elevated_, difference_, by_rank_;
  std::vector<int> remainder_0_, rank_;
  std::vector<Key> coordinates_;
  std::vector<std::uint64_t> words_;
};

}  // namespace

void embed_strip(const float* features, std::size_t points, int d, EmbeddedStrip& strip, Link* links) {
  EmbeddedBlock block;
  std::memset(&block, 0, sizeof block);
  std::vector<float> padded;
  float scales[kMaxLaneDims];
  for (int i = 0; i < d; ++i) scales[i] = elevation_scale<float>(i, d);
  const int degree = d + 1;
  std::int16_t used[kMaxLaneDims] = {};
  std::fill(used, used + d, std::int16_t{-1});
  RecentSimplices recent(d);
  const int words = strip.table.words();
  std::vector<std::uint64_t> keys(static_cast<std::size_t>(kLanes) * degree * words + kSpareWords);
  std::vector<std::uint32_t> hashes(static_cast<std::size_t>(kLanes) * degree);
  for (std::size_t begin = strip.first; begin < strip.last; begin += kLanes) {
    const float* source = features + begin;
    std::size_t plane = points;
    if (begin + kLanes > points) {
      padded.assign(static_cast<std::size_t>(d) * kLanes, 0.0f);
      for (int i = 0; i < d; ++i) {
        std::copy(features + i * points + begin, features + (i + 1) * points, padded.begin() + i * kLanes);
      }
      source = padded.data();
      plane = kLanes;
    }
    if (!SELECT_ISA(embed_block)(source, plane, d, scales, block)) {
      strip.fits = false;
      return;
    }
    const int lanes = static_cast<int>(std::min<std::size_t>(kLanes, strip.last - begin));
    // All keys are hashed before the first is looked up.
    const Link* known[kLanes];
    for (int lane = 0; lane < lanes; ++lane) {
      const std::size_t p = begin + lane;
      const std::int16_t* remainder_0 = block.remainder_0[lane];
      const std::int16_t* rank = block.rank[lane];
      known[lane] = p < points ? recent.exchange(remainder_0, rank, links + p * degree) : nullptr;
      if (known[lane] != nullptr) continue;
      for (int i = lane * degree, r = 0; r < degree; ++i, ++r) {
        make_key(remainder_0, rank, r, d, used, &keys[i * words]);
        hashes[i] = strip.table.hash(&keys[i * words]);
      }
    }
    for (int lane = 0; lane < lanes; ++lane) {
      const std::size_t p = begin + lane;
      for (int i = lane * degree, r = 0; r < degree; ++i, ++r) {
        const unsigned vertex =
            known[lane] != nullptr ? known[lane][r].index : strip.table.insert(&keys[i * words], hashes[i]);
        if (p < points) links[p * degree + r] = {vertex, block.weight[r][lane]};
      }
    }
  }
}

template <class Real, class Key>
void embed_strip_plainly(const float* features, std::size_t points, int d, EmbeddedStrip& strip,
                         Link* links) {
  PointEmbedding<Real, Key> point(d);
  for (std::size_t p = strip.first; p < strip.last; ++p) {
    if (!point.embed(p < points ? features + p : nullptr, points)) {
      strip.fits = false;
      return;
    }
    for (int r = 0; r <= d; ++r) {
      const unsigned vertex = strip.table.insert(point.key(r));
      if (p < points) links[p * (d + 1) + r] = {vertex, point.weight(r)};
    }
  }
}

template void embed_strip_plainly<float, std::int16_t>(const float*, std::size_t, int, EmbeddedStrip&, Link*);
template void embed_strip_plainly<double, std::int32_t>(const float*, std::size_t, int, EmbeddedStrip&,
                                                        Link*);
