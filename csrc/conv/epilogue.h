// What happens to a convolution's outputs in the same pass, each step with the roundings of its own layer.
// A new one that treats every value alike: its kind and name here, its math in epilogue_value.h.
#pragma once

#include <cstdint>

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

// What Python calls the kinds, in their order.
constexpr const char* kEpilogueNames[] = {"bias", "batch_norm", "scale", "sum", "relu", "clip"};
