// Combining blobs element by element, one bottom after the other.
#pragma once

#include <cstdint>

#include "platform/host_device.h"

enum class EltwiseOperation { prod, sum, max };

// The result so far, y, and the next bottom's value x. The first two bottoms go in as y and x, except for a
// sum, which starts from y = 0.
HOST_DEVICE float eltwise_sum(float y, float coefficient, float x) {
  return fused_multiply_add(coefficient, x, y);
}

HOST_DEVICE float weighted_sum(float first_coefficient, float first, float second_coefficient, float second) {
  return eltwise_sum(eltwise_sum(0.0f, first_coefficient, first), second_coefficient, second);
}

// Of the first two the second wins ties; later ones win only if strictly greater.
HOST_DEVICE float eltwise_first_max(float y, float x) { return y > x ? y : x; }
HOST_DEVICE float eltwise_max(float y, float x) { return x > y ? x : y; }

HOST_DEVICE float eltwise_prod(float y, float x) { return y * x; }

// top[i] from bottoms[0..count)[i], count >= 2, i < size; `top` may be bottoms[0].
void eltwise(EltwiseOperation operation, const float* const* bottoms, const float* coefficients, int count,
             float* top, int64_t size, int threads);
