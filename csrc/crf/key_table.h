// The hash table that a lattice is built with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Open addressing over vertex keys: rows of integers, padded with 0 to whole 64-bit words. Vertices are
// numbered from 1 in order of insertion; row 0 is unused ("no such vertex").
class KeyTable {
 public:
  explicit KeyTable(int words) : words_(words), mask_(kFirstSize - 1), slots_(kFirstSize), keys_(words) {}

  // For `insert` and `find`; the table's memory is asked for, which answers late.
  std::uint32_t hash(const std::uint64_t* key) const {
    const std::uint32_t h = words_ == 1 ? hash_of<1>(key) : words_ == 2 ? hash_of<2>(key) : hash_of<0>(key);
    __builtin_prefetch(&slots_[h & mask_]);
    return h;
  }
  // The vertex's number; inserted if it is new.
  unsigned insert(const std::uint64_t* key, std::uint32_t hash) {
    Slot& slot = slots_[locate(key, hash)];
    return slot.vertex != 0 ? slot.vertex : add(key, slot, hash);
  }
  unsigned insert(const std::uint64_t* key) { return insert(key, hash(key)); }
  // The vertex's number, or 0.
  unsigned find(const std::uint64_t* key, std::uint32_t hash) const {
    return slots_[locate(key, hash)].vertex;
  }

  unsigned count() const { return static_cast<unsigned>(keys_.size() / words_) - 1; }
  int words() const { return words_; }
  const std::uint64_t* key(unsigned vertex) const { return keys_.data() + std::size_t{vertex} * words_; }

 private:
  static constexpr std::size_t kFirstSize = 1024;
  struct Slot {
    std::uint32_t hash, vertex;
  };

  // `W` is the number of words where the compiler may unroll, else 0.
  template <int W>
  std::uint32_t hash_of(const std::uint64_t* key) const {
    std::uint64_t h = 0;
    for (int w = 0; w < (W ? W : words_); ++w) {
      h = (h ^ key[w]) * 0x9E3779B97F4A7C15u;
      h ^= h >> 29;
    }
    return static_cast<std::uint32_t>(h >> 16);
  }
  template <int W>
  bool is_key(unsigned vertex, const std::uint64_t* key) const {
    const std::uint64_t* own = keys_.data() + std::size_t{vertex} * (W ? W : words_);
    std::uint64_t difference = 0;
    for (int w = 0; w < (W ? W : words_); ++w) difference |= own[w] ^ key[w];
    return difference == 0;
  }
  std::size_t locate(const std::uint64_t* key, std::uint32_t hash) const {
    return words_ == 1   ? locate_words<1>(key, hash)
           : words_ == 2 ? locate_words<2>(key, hash)
                         : locate_words<0>(key, hash);
  }
  template <int W>
  std::size_t locate_words(const std::uint64_t* key, std::uint32_t hash) const {
    std::size_t i = hash & mask_;
    while (slots_[i].vertex != 0 && !(slots_[i].hash == hash && is_key<W>(slots_[i].vertex, key))) {
      i = (i + 1) & mask_;
    }
    return i;
  }
  unsigned add(const std::uint64_t* key, Slot& slot, std::uint32_t hash);
  void grow();

  int words_;
  std::size_t mask_;
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> keys_;
};
