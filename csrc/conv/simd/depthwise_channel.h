// What the depthwise kernels share: an output channel of one image.
#pragma once

#include "conv/conv_plan.h"
#include "conv/simd/epilogue_vector.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

// What an output channel reads, its epilogue and where it goes.
struct Channel {
  const float *x, *weights;
  const EpilogueStep* steps;
  int64_t step_count, number, offset;
  float* y;
  int64_t row_step;  // floats from one row that a kernel reads to the next
};

// Masked and strided reads of many rows are no stream that the processor would foresee.
HOST_DEVICE void ask_for(const float* from, int64_t floats) {
  for (int64_t i = 0; i < floats; i += 16) __builtin_prefetch(from + i);
}

}  // namespace
}  // namespace ISA
