// The bias's gradient: sums over the positions of each channel.
#pragma once

#include <cstdint>

#include "isa.h"

// sums [channels] = 0, then of each image in order the sum of dy [batch, channels, positions] over its
// positions, added up in double and rounded once.
DECLARE_PER_ISA(void channel_sums(const float* dy, float* sums, int64_t batch, int64_t channels,
                                  int64_t positions, int threads))
