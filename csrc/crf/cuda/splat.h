// What the two splats share: that of short lists (lattice_filter.cu) and that of long ones.
#pragma once

#include "crf/cuda/lattice_filter.h"

namespace device {

struct Splat {
  const unsigned *starts, *long_lists, *long_list_counts;
  const Link* list;
  unsigned vertices, links;
  const float* pre;
  float* values;
};
struct Splats {
  Splat of[kMaxKernels];
};

void splat_long_lists(const Splats& splats, int count, const float* q, std::size_t q_stride, std::size_t row,
                      Stream stream);

}  // namespace device
