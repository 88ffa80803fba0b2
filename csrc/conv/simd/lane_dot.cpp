#include "conv/simd/lane_dot.h"

#include "platform/host_device.h"

namespace ISA {

float lane_dot(const float* a, const float* b, int64_t count, bool halves) {
  constexpr int kLanes = 16;
  float lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) lane[k] = fused_multiply_add(a[i + k], b[i + k], lane[k]);
  }
  for (int k = 0; i < count; ++i, ++k) lane[k] = fused_multiply_add(a[i], b[i], lane[k]);
  for (int left = kLanes / 2; left > 0; left /= 2) {
    for (int k = 0; k < left; ++k) {
      lane[k] = halves ? lane[k] + lane[k + left] : lane[2 * k] + lane[2 * k + 1];
    }
  }
  return lane[0];
}

}  // namespace ISA
