// Threshold. The smallest op there is: the one to copy for a new kernel.
#pragma once

#include <cstdint>

#include "platform/cuda/stream.h"
#include "platform/host_device.h"
#include "platform/isa.h"

HOST_DEVICE float threshold_value(float x, float limit) { return x > limit ? 1.0f : 0.0f; }

// y[i] = 1 where x[i] > limit, else 0. x, y: [count], may be the same array.
DECLARE_PER_ISA(void threshold(const float* x, float limit, float* y, std::int64_t count, int threads))

namespace device {
void threshold(const float* x, float limit, float* y, std::int64_t count, Stream stream);
}
