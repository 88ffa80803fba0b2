// What a solver does to one weight in one iteration, rounding where Caffe's chain of BLAS calls rounds:
// axpy and axpby are fused multiply-adds, everything else rounds term by term.
#pragma once

#include <cmath>
#include <cstdint>

#include "platform/host_device.h"
#include "platform/isa.h"

// alpha * x + beta * y
HOST_DEVICE float axpby(float alpha, float x, float beta, float y) {
  return fused_multiply_add(alpha, x, beta * y);
}

HOST_DEVICE float square_root(float x) {
#ifdef __CUDA_ARCH__
  return __fsqrt_rn(x);
#else
  return std::sqrt(x);
#endif
}

// clip: the factor that shortens a long gradient; share: one over the passes it was summed over.
HOST_DEVICE float regularized_l2(float gradient, float weight, float clip, float share, float decay) {
  return fused_multiply_add(decay, weight, gradient * clip * share);
}

HOST_DEVICE float regularized_l1(float gradient, float weight, float clip, float share, float decay) {
  const float sign = static_cast<float>((weight > 0.0f) - (weight < 0.0f));
  return fused_multiply_add(decay, sign, gradient * clip * share);
}

// Each of these changes the history and returns what is taken off the weight.
HOST_DEVICE float sgd_step(float gradient, float& history, float rate, float momentum) {
  return history = axpby(rate, gradient, momentum, history);
}

HOST_DEVICE float nesterov_step(float gradient, float& history, float rate, float momentum) {
  const float before = history;
  history = axpby(rate, gradient, momentum, history);
  return axpby(1.0f + momentum, history, -momentum, before);
}

HOST_DEVICE float adagrad_step(float gradient, float& history, float rate, float delta) {
  history = gradient * gradient + history;
  return rate * (gradient / (square_root(history) + delta));
}

HOST_DEVICE float rmsprop_step(float gradient, float& history, float rate, float rms_decay, float delta) {
  history = axpby(1.0f - rms_decay, gradient * gradient, rms_decay, history);
  return rate * (gradient / (square_root(history) + delta));
}

// gradients, updates: running means of the squares.
HOST_DEVICE float adadelta_step(float gradient, float& gradients, float& updates, float rate, float momentum,
                                float delta) {
  gradients = axpby(1.0f - momentum, gradient * gradient, momentum, gradients);
  const float update = gradient * square_root((delta + updates) / (delta + gradients));
  updates = axpby(1.0f - momentum, update * update, momentum, updates);
  return rate * update;
}

// rate: with the correction for the first iterations, which start from means of zero.
HOST_DEVICE float adam_step(float gradient, float& mean, float& square, float rate, float momentum,
                            float momentum2, float delta) {
  mean = axpby(1.0f - momentum, gradient, momentum, mean);
  square = axpby(1.0f - momentum2, gradient * gradient, momentum2, square);
  return rate * (mean / (square_root(square) + delta));
}

// Arrays of `count` values; the gradient and the history are overwritten, then the weight.
DECLARE_PER_ISA(void regularize(float* gradient, const float* weight, float clip, float share, float decay,
                                bool l1, std::int64_t count, int threads))
DECLARE_PER_ISA(void sgd_update(float* weight, const float* gradient, float* history, float rate,
                                float momentum, std::int64_t count, int threads))
DECLARE_PER_ISA(void nesterov_update(float* weight, const float* gradient, float* history, float rate,
                                     float momentum, std::int64_t count, int threads))
DECLARE_PER_ISA(void adagrad_update(float* weight, const float* gradient, float* history, float rate,
                                    float delta, std::int64_t count, int threads))
DECLARE_PER_ISA(void rmsprop_update(float* weight, const float* gradient, float* history, float rate,
                                    float rms_decay, float delta, std::int64_t count, int threads))
DECLARE_PER_ISA(void adadelta_update(float* weight, const float* gradient, float* gradients, float* updates,
                                     float rate, float momentum, float delta, std::int64_t count,
                                     int threads))
DECLARE_PER_ISA(void adam_update(float* weight, const float* gradient, float* mean, float* square, float rate,
                                 float momentum, float momentum2, float delta, std::int64_t count,
                                 int threads))
// The sum of the squares in double, in one order everywhere: sums[c] is that of values c * kSquaresChunk and
// on, added up in kSquaresLanes chains (value i goes to chain i % kSquaresLanes), those in order.
constexpr std::int64_t kSquaresChunk = 1 << 14;
constexpr int kSquaresLanes = 32;
DECLARE_PER_ISA(void chunk_squares(const float* x, double* sums, std::int64_t count, int threads))
