// What leaving out inputs of zero needs, see conv/zero_inputs.h.
#pragma once

#include <algorithm>

#include "conv/simd/conv_pack.h"
#include "conv/simd/conv_tile.h"
#include "platform/host_device.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

// Plain loops, which the compiler vectorises.
bool all_finite(int64_t count, const float* values) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t not_finite = 0;
  for (int64_t i = 0; i < count; ++i)
    not_finite |= (float_bits(values[i]) & kExponent) == kExponent ? 1u : 0u;
  return not_finite == 0;
}

bool any_negative_zero(int64_t count, const float* values) {
  uint32_t any = 0;
  for (int64_t i = 0; i < count; ++i) any |= float_bits(values[i]) == 0x80000000 ? 1u : 0u;
  return any != 0;
}

// Where the inputs of each k may lie anywhere.
#if defined(ISA_AVX2) || defined(ISA_NEON)

HOST_DEVICE bool any_nonzero(const float* values) {
  Vector any = load(values);
  for (int v = 1; v < kVectors; ++v) any = either(any, load(values + v * kWidth));
  return any_nonzero(any);
}

HOST_DEVICE bool any_nonzero(const float* values, int count) {
  return std::any_of(values, values + count, [](float value) { return value != 0.0f; });
}

int64_t list_nonzero(int64_t depth, const Offsets& offset, const float* input, int lanes,
                     int64_t* weight_offset, int64_t* input_offset) {
  int64_t count = 0;
  for (int64_t i = 0; i < depth; ++i) {
    const float* values = input + offset.input[i];
    weight_offset[count] = offset.weights[i];
    input_offset[count] = offset.input[i];
    count += lanes == kLanes ? any_nonzero(values) : any_nonzero(values, lanes);
  }
  return count;
}

constexpr ZeroKernels kZeroKernels = {all_finite, any_negative_zero, list_nonzero};

#else

constexpr ZeroKernels kZeroKernels = {};

#endif

}  // namespace
}  // namespace ISA
