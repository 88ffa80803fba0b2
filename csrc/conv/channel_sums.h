// The bias's gradient: sums over the positions of each channel, in the order of the original's BLAS.
#pragma once

#include <cstdint>

#include "platform/isa.h"

// sums [channels] += those of dy [batch, channels, positions], image by image. The positions, those left over
// by four aside, go in runs of 4096, each summed in eight interleaved chains whose sums are folded and added
// in pairs; four chains for the first two channels of the two or three that are left over by four. The
// positions left over are summed, then added.
DECLARE_PER_ISA(void channel_sums(const float* dy, float* sums, int64_t batch, int64_t channels,
                                  int64_t positions, int threads))
