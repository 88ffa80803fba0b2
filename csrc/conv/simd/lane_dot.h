// The dot product of the original's BLAS for small matrices.
#pragma once

#include <cstdint>

#include "platform/isa.h"

// The sum of a[i] * b[i] in sixteen chains of fused multiply-adds (i goes to chain i % 16), which are then
// added: neighbours, their sums' neighbours, ...; with `halves` the upper to the lower eight, four, ...
DECLARE_PER_ISA(float lane_dot(const float* a, const float* b, int64_t count, bool halves))
