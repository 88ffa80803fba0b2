// The ops of pixelwise/pooling.h on the device.
#pragma once

#include <cstdint>

#include "platform/cuda/stream.h"

namespace device {

// x: [planes, height, width], y: [planes, out_height, out_width].
void max_pool(const float* x, float* y, std::int64_t planes, std::int64_t height, std::int64_t width,
              std::int64_t out_height, std::int64_t out_width, std::int64_t kernel_h, std::int64_t kernel_w,
              std::int64_t stride_h, std::int64_t stride_w, std::int64_t pad_h, std::int64_t pad_w,
              Stream stream);
void average_pool(const float* x, float* y, std::int64_t planes, std::int64_t height, std::int64_t width,
                  std::int64_t out_height, std::int64_t out_width, std::int64_t kernel_h,
                  std::int64_t kernel_w, std::int64_t stride_h, std::int64_t stride_w, std::int64_t pad_h,
                  std::int64_t pad_w, Stream stream);

}  // namespace device
