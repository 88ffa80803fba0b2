// Eltwise on the device.
#pragma once

#include <cstdint>
#include <vector>

#include "platform/cuda/stream.h"

namespace device {

// operation: pixelwise/eltwise.h's. bottoms: two or more device addresses of `size` values; `top` may be the
// first.
void eltwise(int operation, const std::vector<std::uintptr_t>& bottoms,
             const std::vector<float>& coefficients, std::uintptr_t top, std::int64_t size, Stream stream);

}  // namespace device
