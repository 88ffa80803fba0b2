// What happens to a convolution's outputs in the same pass, each step with the roundings of its own layer.
#pragma once

#include <cstdint>

#include "elementwise.h"
#include "eltwise.h"
#include "host_device.h"

struct EpilogueStep {
  enum Kind {
    kBias,       // v + a[channel]
    kBatchNorm,  // (v - a[channel]) / b[channel]
    kScale,      // v * a[channel]
    kSum,        // fma(coefficients in the order of the bottoms): v and a, laid out as y
    kRelu,       // max(v, 0) + first * min(v, 0)
    kClip,       // between first and second
  };
  Kind kind;
  const float *a, *b;
  float first, second;  // kSum: of v and of a; kRelu: the slope; kClip: the bounds
  bool after;           // kSum: v is added after a
};

// One step for `count` neighbouring outputs of one channel. kSum: `other` is where the first one's summand
// lies. Plain loops: the compiler makes them vectors, and every instruction set has the same bits.
HOST_DEVICE void apply_step(const EpilogueStep& step, int64_t channel, int count, const float* other,
                            float* v) {
  const float a = step.kind < EpilogueStep::kSum ? step.a[channel] : 0.0f;
  switch (step.kind) {
    case EpilogueStep::kBias:
      for (int i = 0; i < count; ++i) v[i] = v[i] + a;
      break;
    case EpilogueStep::kBatchNorm: {
      const float deviation = step.b[channel];
      for (int i = 0; i < count; ++i) v[i] = batch_norm_value(v[i], a, deviation);
      break;
    }
    case EpilogueStep::kScale:
      for (int i = 0; i < count; ++i) v[i] = v[i] * a;
      break;
    case EpilogueStep::kSum:
      if (step.after) {
        for (int i = 0; i < count; ++i) v[i] = weighted_sum(step.second, other[i], step.first, v[i]);
      } else {
        for (int i = 0; i < count; ++i) v[i] = weighted_sum(step.first, v[i], step.second, other[i]);
      }
      break;
    case EpilogueStep::kRelu:
      for (int i = 0; i < count; ++i) v[i] = relu_value(v[i], step.first);
      break;
    case EpilogueStep::kClip:
      for (int i = 0; i < count; ++i) v[i] = clip_value(v[i], step.first, step.second);
      break;
  }
}
