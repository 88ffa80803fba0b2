// A thread takes one value: these run at the memory's speed.
#include "platform/cuda/runtime.cuh"
#include "solver/cuda/solver_update.h"
#include "solver/solver_update.h"

namespace device {

namespace {

constexpr int kThreads = 256;

template <typename Function>
KERNEL(kThreads, 1)
void each_kernel(std::int64_t count, Function function) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) function(i);
}

template <typename Function>
void each(std::int64_t count, Stream stream, Function function) {
  if (count == 0) return;
  launch(each_kernel<Function>, block_count(count, kThreads), kThreads, 0, stream, count, function);
}

// Without decay the weight stays out of it: 0 * infinity would not be 0.
struct Scaled {
  float* gradient;
  float clip, share;
  __device__ void operator()(std::int64_t i) const { gradient[i] = gradient[i] * clip * share; }
};
struct RegularizedL1 {
  float* gradient;
  const float* weight;
  float clip, share, decay;
  __device__ void operator()(std::int64_t i) const {
    gradient[i] = regularized_l1(gradient[i], weight[i], clip, share, decay);
  }
};
struct RegularizedL2 {
  float* gradient;
  const float* weight;
  float clip, share, decay;
  __device__ void operator()(std::int64_t i) const {
    gradient[i] = regularized_l2(gradient[i], weight[i], clip, share, decay);
  }
};

struct Sgd {
  float* weight;
  const float* gradient;
  float *history, rate, momentum;
  __device__ void operator()(std::int64_t i) const {
    weight[i] -= sgd_step(gradient[i], history[i], rate, momentum);
  }
};
struct Nesterov {
  float* weight;
  const float* gradient;
  float *history, rate, momentum;
  __device__ void operator()(std::int64_t i) const {
    weight[i] -= nesterov_step(gradient[i], history[i], rate, momentum);
  }
};
struct AdaGrad {
  float* weight;
  const float* gradient;
  float *history, rate, delta;
  __device__ void operator()(std::int64_t i) const {
    weight[i] -= adagrad_step(gradient[i], history[i], rate, delta);
  }
};
struct RmsProp {
  float* weight;
  const float* gradient;
  float *history, rate, rms_decay, delta;
  __device__ void operator()(std::int64_t i) const {
    weight[i] -= rmsprop_step(gradient[i], history[i], rate, rms_decay, delta);
  }
};
struct AdaDelta {
  float* weight;
  const float* gradient;
  float *gradients, *updates, rate, momentum, delta;
  __device__ void operator()(std::int64_t i) const {
    weight[i] -= adadelta_step(gradient[i], gradients[i], updates[i], rate, momentum, delta);
  }
};
struct Adam {
  float* weight;
  const float* gradient;
  float *mean, *square, rate, momentum, momentum2, delta;
  __device__ void operator()(std::int64_t i) const {
    weight[i] -= adam_step(gradient[i], mean[i], square[i], rate, momentum, momentum2, delta);
  }
};

// A block has a chunk, a thread one of its chains.
KERNEL(kSquaresLanes, 1)
void squares_kernel(const float* x, double* sums, std::int64_t count) {
  __shared__ double chains[kSquaresLanes];
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kSquaresChunk;
  const std::int64_t end = begin + kSquaresChunk < count ? begin + kSquaresChunk : count;
  double chain = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kSquaresLanes)
    chain += double(x[i]) * double(x[i]);
  chains[threadIdx.x] = chain;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double total = 0;
  for (int k = 0; k < kSquaresLanes; ++k) total += chains[k];
  sums[blockIdx.x] = total;
}

}  // namespace

void regularize(float* gradient, const float* weight, float clip, float share, float decay, bool l1,
                std::int64_t count, Stream stream) {
  if (decay == 0.0f) {
    each(count, stream, Scaled{gradient, clip, share});
  } else if (l1) {
    each(count, stream, RegularizedL1{gradient, weight, clip, share, decay});
  } else {
    each(count, stream, RegularizedL2{gradient, weight, clip, share, decay});
  }
}

void sgd_update(float* weight, const float* gradient, float* history, float rate, float momentum,
                std::int64_t count, Stream stream) {
  each(count, stream, Sgd{weight, gradient, history, rate, momentum});
}

void nesterov_update(float* weight, const float* gradient, float* history, float rate, float momentum,
                     std::int64_t count, Stream stream) {
  each(count, stream, Nesterov{weight, gradient, history, rate, momentum});
}

void adagrad_update(float* weight, const float* gradient, float* history, float rate, float delta,
                    std::int64_t count, Stream stream) {
  each(count, stream, AdaGrad{weight, gradient, history, rate, delta});
}

void rmsprop_update(float* weight, const float* gradient, float* history, float rate, float rms_decay,
                    float delta, std::int64_t count, Stream stream) {
  each(count, stream, RmsProp{weight, gradient, history, rate, rms_decay, delta});
}

void adadelta_update(float* weight, const float* gradient, float* gradients, float* updates, float rate,
                     float momentum, float delta, std::int64_t count, Stream stream) {
  each(count, stream, AdaDelta{weight, gradient, gradients, updates, rate, momentum, delta});
}

void adam_update(float* weight, const float* gradient, float* mean, float* square, float rate, float momentum,
                 float momentum2, float delta, std::int64_t count, Stream stream) {
  each(count, stream, Adam{weight, gradient, mean, square, rate, momentum, momentum2, delta});
}

void chunk_squares(const float* x, double* sums, std::int64_t count, Stream stream) {
  if (count == 0) return;
  const std::int64_t chunks = (count + kSquaresChunk - 1) / kSquaresChunk;
  launch(squares_kernel, block_count(chunks, 1), kSquaresLanes, 0, stream, x, sums, count);
}

}  // namespace device
