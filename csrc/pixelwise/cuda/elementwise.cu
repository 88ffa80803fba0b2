// A thread takes four neighbouring values, as one 16-byte word where the arrays are aligned.
#include "pixelwise/cuda/elementwise.h"
#include "pixelwise/elementwise.h"
#include "platform/cuda/runtime.cuh"
#include "platform/libm_exact.h"

namespace device {

namespace {

constexpr int kThreads = 256;

// y[i..i+4) = function(x[i..i+4), i) for the thread's i; the last values go one by one.
template <typename Function>
__device__ __forceinline__ void four_values(const float* x, float* y, std::int64_t count, Function function) {
  const std::int64_t i = 4 * (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x);
  const bool aligned =
      ((reinterpret_cast<std::uintptr_t>(x) | reinterpret_cast<std::uintptr_t>(y)) & 15) == 0;
  if (aligned && i + 4 <= count) {
    float4 v = *reinterpret_cast<const float4*>(x + i);
    function.start(i);
    v.x = function(v.x);
    v.y = function(v.y);
    v.z = function(v.z);
    v.w = function(v.w);
    *reinterpret_cast<float4*>(y + i) = v;
  } else if (i < count) {
    function.start(i);
    for (std::int64_t j = i; j < i + 4 && j < count; ++j) y[j] = function(x[j]);
  }
}

template <typename Function>
KERNEL(kThreads, 1)
void each_kernel(const float* x, float* y, std::int64_t count, Function function) {
  four_values(x, y, count, function);
}

template <typename Function>
void each(const float* x, float* y, std::int64_t count, Stream stream, Function function) {
  if (count == 0) return;
  const dim3 grid = block_count((count + 3) / 4, kThreads);
  launch(each_kernel<Function>, grid, kThreads, 0, stream, x, y, count, function);
}

// Functions of one value.
struct Plain {
  __device__ void start(std::int64_t) {}
};
struct Relu : Plain {
  float slope;
  explicit Relu(float negative_slope) : slope(negative_slope) {}
  __device__ float operator()(float x) const { return relu_value(x, slope); }
};
struct Exp : Plain {
  __device__ float operator()(float x) const { return exact_expf(x); }
};
struct Log : Plain {
  __device__ float operator()(float x) const { return exact_logf(x); }
};

// Functions of a value and its channel: start(i) divides once, then values come one after the other.
template <typename Function>
struct OfChannel {
  Function function;
  std::int64_t channels, inner;
  std::int64_t channel, position;

  __device__ void start(std::int64_t i) {
    const std::int64_t plane = i / inner;
    position = i - plane * inner;
    channel = plane % channels;
  }
  __device__ float operator()(float x) {
    const float y = function(x, channel);
    if (++position == inner) {
      position = 0;
      channel = channel + 1 == channels ? 0 : channel + 1;
    }
    return y;
  }
};
struct BatchNorm {
  const float *mean, *deviation;
  __device__ float operator()(float x, std::int64_t c) const {
    return batch_norm_value(x, mean[c], deviation[c]);
  }
};
struct Factor {
  const float* factor;
  __device__ float operator()(float x, std::int64_t c) const { return x * factor[c]; }
};
struct Bias {
  const float* bias;
  __device__ float operator()(float x, std::int64_t c) const { return x + bias[c]; }
};
struct FactorAndBias {
  const float *factor, *bias;
  __device__ float operator()(float x, std::int64_t c) const { return x * factor[c] + bias[c]; }
};
struct PRelu {
  const float* slope;
  __device__ float operator()(float x, std::int64_t c) const { return relu_value(x, slope[c]); }
};

template <typename Function>
void each_channel(const float* x, float* y, std::int64_t outer, std::int64_t channels, std::int64_t inner,
                  Stream stream, Function function) {
  each(x, y, outer * channels * inner, stream, OfChannel<Function>{function, channels, inner, 0, 0});
}

}  // namespace

void relu(const float* x, float slope, float* y, std::int64_t count, Stream stream) {
  each(x, y, count, stream, Relu(slope));
}

void exact_exp(const float* x, float* y, std::int64_t count, Stream stream) {
  each(x, y, count, stream, Exp{});
}

void exact_log(const float* x, float* y, std::int64_t count, Stream stream) {
  each(x, y, count, stream, Log{});
}

void batch_norm(const float* x, const float* mean, const float* deviation, float* y, std::int64_t outer,
                std::int64_t channels, std::int64_t inner, Stream stream) {
  each_channel(x, y, outer, channels, inner, stream, BatchNorm{mean, deviation});
}

void scale(const float* x, const float* factor, const float* bias, float* y, std::int64_t outer,
           std::int64_t channels, std::int64_t inner, Stream stream) {
  if (bias == nullptr) {
    each_channel(x, y, outer, channels, inner, stream, Factor{factor});
  } else if (factor == nullptr) {
    each_channel(x, y, outer, channels, inner, stream, Bias{bias});
  } else {
    each_channel(x, y, outer, channels, inner, stream, FactorAndBias{factor, bias});
  }
}

void prelu(const float* x, const float* slope, float* y, std::int64_t outer, std::int64_t channels,
           std::int64_t inner, Stream stream) {
  each_channel(x, y, outer, channels, inner, stream, PRelu{slope});
}

}  // namespace device
