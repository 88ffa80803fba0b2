// Numbers of bf16: the upper half of a float. The instructions take denormal numbers for zeros.
#pragma once

#include <cstdint>

#include "platform/host_device.h"

// A denormal number as the zero of its sign.
HOST_DEVICE float flush(float x) {
  const uint32_t bits = float_bits(x);
  return bits & 0x7f800000u ? x : bits_float(bits & 0x80000000u);
}

// Rounded half to even; NaNs stay what they are, quiet.
HOST_DEVICE uint32_t round_to_bf16(float x) {
  if (x != x) return float_bits(x) >> 16 | 0x40u;
  const uint32_t bits = float_bits(flush(x));
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// The word of a pair, see bf16_kernels.h.
HOST_DEVICE float bf16_pair(float first, float second) {
  return bits_float(round_to_bf16(first) | round_to_bf16(second) << 16);
}

HOST_DEVICE float first_of_pair(float word) { return flush(bits_float(float_bits(word) << 16)); }
HOST_DEVICE float second_of_pair(float word) { return flush(bits_float(float_bits(word) & 0xffff0000u)); }
