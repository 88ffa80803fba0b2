// Interpolation on the device, by itself and with the best label picked in the same pass.
#pragma once

#include <cstdint>

#include "platform/cuda/stream.h"

namespace device {

// As pixelwise/interp.h's.
void interp(const float* x, float* y, std::int64_t planes, std::int64_t full_height, std::int64_t full_width,
            std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
            std::int64_t out_height, std::int64_t out_width, bool half_pixel, Stream stream);

// labels [batch, out_height, out_width]: what argmax (one label) gives for the interpolated
// x [batch, channels, full_height, full_width], which is never in memory.
void interp_argmax(const float* x, float* labels, std::int64_t batch, std::int64_t channels,
                   std::int64_t full_height, std::int64_t full_width, std::int64_t top, std::int64_t left,
                   std::int64_t height, std::int64_t width, std::int64_t out_height, std::int64_t out_width,
                   bool half_pixel, Stream stream);

}  // namespace device
