// The epilogue's steps on the device: they travel with the launch, their tensors lie in device memory.
#pragma once

#include <stdexcept>
#include <vector>

#include "conv/epilogue_value.h"
#include "platform/cuda/runtime.cuh"

namespace device {

constexpr int kMaxEpilogueSteps = 16;

struct Epilogue {
  EpilogueStep step[kMaxEpilogueSteps];
  int count;
};

inline Epilogue make_epilogue(const std::vector<EpilogueStep>& steps) {
  if (steps.size() > kMaxEpilogueSteps) {
    throw std::invalid_argument("atrous_conv: more than 16 steps behind a convolution on the device");
  }
  Epilogue epilogue{};
  for (const EpilogueStep& step : steps) epilogue.step[epilogue.count++] = step;
  return epilogue;
}

// The output v of `channel` taken through all steps; it belongs to y[at].
__device__ __forceinline__ float finish(const Epilogue& epilogue, int64_t channel, int64_t at, float v) {
  for (int s = 0; s < epilogue.count; ++s) v = epilogue_value(epilogue.step[s], channel, at, v);
  return v;
}

// The same for n outputs of one channel; step by step, which costs less than output by output.
template <int n>
__device__ __forceinline__ void finish(const Epilogue& epilogue, int64_t channel, const int64_t (&at)[n],
                                       float (&v)[n]) {
  for (int s = 0; s < epilogue.count; ++s) {
#pragma unroll
    for (int i = 0; i < n; ++i) v[i] = epilogue_value(epilogue.step[s], channel, at[i], v[i]);
  }
}

}  // namespace device
