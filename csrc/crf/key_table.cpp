#include "crf/key_table.h"

unsigned KeyTable::add(const std::uint64_t* key, Slot& slot, std::uint32_t hash) {
  keys_.insert(keys_.end(), key, key + words_);
  const unsigned vertex = count();
  slot = {hash, vertex};
  if (2 * std::size_t{vertex} > mask_) grow();
  return vertex;
}

void KeyTable::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.vertex == 0) continue;
    std::size_t i = slot.hash & mask_;
    while (slots_[i].vertex != 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}
