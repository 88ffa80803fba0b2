// A stable sort of 32-bit keys with 32-bit values, on the device.
#pragma once

#include <cstddef>

#include "platform/cuda/stream.h"

namespace device {

// Two buffers of keys and two of values, `count` each; the sort goes back and forth between them.
struct SortBuffers {
  unsigned* keys[2];
  unsigned* values[2];
  unsigned* digit_counts;  // digit_count_words(count)
};

std::size_t digit_count_words(std::size_t count);

// Sorts by the low `bits` of keys[0], with the numbers 0..count-1 as values: values end up as the stable
// order. Returns which of the buffers holds the result.
int sort_order(const SortBuffers& buffers, std::size_t count, int bits, Stream stream);

}  // namespace device
