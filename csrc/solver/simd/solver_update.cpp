// Plain loops that the compiler vectorises.
#include "solver/solver_update.h"

namespace ISA {

namespace {

constexpr std::int64_t kChunk = 1 << 14;

// function(i) for each i < count
template <typename Function>
inline void each(std::int64_t count, int threads, Function function) {
#pragma omp parallel for num_threads(threads) schedule(static) if (count > kChunk)
  for (std::int64_t begin = 0; begin < count; begin += kChunk) {
    const std::int64_t end = begin + kChunk < count ? begin + kChunk : count;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) function(i);
  }
}

inline double squares(const float* x, std::int64_t count) {
  double chains[kSquaresLanes] = {};
  std::int64_t i = 0;
  for (; i + kSquaresLanes <= count; i += kSquaresLanes) {
    for (int k = 0; k < kSquaresLanes; ++k) chains[k] += double(x[i + k]) * double(x[i + k]);
  }
  for (int k = 0; i < count; ++i, ++k) chains[k] += double(x[i]) * double(x[i]);
  double total = 0;
  for (double chain : chains) total += chain;
  return total;
}

}  // namespace

void regularize(float* gradient, const float* weight, float clip, float share, float decay, bool l1,
                std::int64_t count, int threads) {
  // Without decay the weight stays out of it: 0 * infinity would not be 0.
  if (decay == 0.0f) {
    each(count, threads, [=](std::int64_t i) { gradient[i] = gradient[i] * clip * share; });
  } else if (l1) {
    each(count, threads,
         [=](std::int64_t i) { gradient[i] = regularized_l1(gradient[i], weight[i], clip, share, decay); });
  } else {
    each(count, threads,
         [=](std::int64_t i) { gradient[i] = regularized_l2(gradient[i], weight[i], clip, share, decay); });
  }
}

void sgd_update(float* weight, const float* gradient, float* history, float rate, float momentum,
                std::int64_t count, int threads) {
  each(count, threads,
       [=](std::int64_t i) { weight[i] -= sgd_step(gradient[i], history[i], rate, momentum); });
}

void nesterov_update(float* weight, const float* gradient, float* history, float rate, float momentum,
                     std::int64_t count, int threads) {
  each(count, threads,
       [=](std::int64_t i) { weight[i] -= nesterov_step(gradient[i], history[i], rate, momentum); });
}

void adagrad_update(float* weight, const float* gradient, float* history, float rate, float delta,
                    std::int64_t count, int threads) {
  each(count, threads,
       [=](std::int64_t i) { weight[i] -= adagrad_step(gradient[i], history[i], rate, delta); });
}

void rmsprop_update(float* weight, const float* gradient, float* history, float rate, float rms_decay,
                    float delta, std::int64_t count, int threads) {
  each(count, threads,
       [=](std::int64_t i) { weight[i] -= rmsprop_step(gradient[i], history[i], rate, rms_decay, delta); });
}

void adadelta_update(float* weight, const float* gradient, float* gradients, float* updates, float rate,
                     float momentum, float delta, std::int64_t count, int threads) {
  each(count, threads, [=](std::int64_t i) {
    weight[i] -= adadelta_step(gradient[i], gradients[i], updates[i], rate, momentum, delta);
  });
}

void adam_update(float* weight, const float* gradient, float* mean, float* square, float rate, float momentum,
                 float momentum2, float delta, std::int64_t count, int threads) {
  each(count, threads, [=](std::int64_t i) {
    weight[i] -= adam_step(gradient[i], mean[i], square[i], rate, momentum, momentum2, delta);
  });
}

void chunk_squares(const float* x, double* sums, std::int64_t count, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static) if (count > kSquaresChunk)
  for (std::int64_t begin = 0; begin < count; begin += kSquaresChunk) {
    const std::int64_t left = count - begin;
    sums[begin / kSquaresChunk] = squares(x + begin, left < kSquaresChunk ? left : kSquaresChunk);
  }
}

}  // namespace ISA
