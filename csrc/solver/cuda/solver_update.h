// The ops of solver/solver_update.h on the device; pointers are the device's.
#pragma once

#include <cstdint>

#include "platform/cuda/stream.h"

namespace device {

void regularize(float* gradient, const float* weight, float clip, float share, float decay, bool l1,
                std::int64_t count, Stream stream);
void sgd_update(float* weight, const float* gradient, float* history, float rate, float momentum,
                std::int64_t count, Stream stream);
void nesterov_update(float* weight, const float* gradient, float* history, float rate, float momentum,
                     std::int64_t count, Stream stream);
void adagrad_update(float* weight, const float* gradient, float* history, float rate, float delta,
                    std::int64_t count, Stream stream);
void rmsprop_update(float* weight, const float* gradient, float* history, float rate, float rms_decay,
                    float delta, std::int64_t count, Stream stream);
void adadelta_update(float* weight, const float* gradient, float* gradients, float* updates, float rate,
                     float momentum, float delta, std::int64_t count, Stream stream);
void adam_update(float* weight, const float* gradient, float* mean, float* square, float rate, float momentum,
                 float momentum2, float delta, std::int64_t count, Stream stream);
void chunk_squares(const float* x, double* sums, std::int64_t count, Stream stream);

}  // namespace device
