// Convolution micro-kernels. Lanes are output positions, rows are output channels, both independent sums.
#include "conv/atrous_conv.h"
#include "conv/simd/conv_accumulate.h"
#include "conv/simd/conv_in_place.h"
#include "conv/simd/conv_pack.h"
#include "conv/simd/conv_tile.h"
#include "conv/simd/epilogue_vector.h"
#include "conv/simd/few_outputs.h"
#include "conv/simd/nonzero_pairs.h"
#include "conv/simd/zero_inputs.h"
#include "platform/host_device.h"
#include "platform/simd/vector.h"

namespace ISA {
namespace {

#ifdef ISA_PORTABLE
constexpr int kStoredRows = 1;
#else
constexpr int kStoredRows = 4;
#endif

// Where a tile's vectors lie in memory: each in one piece, or in several where image rows end.
class Places {
 public:
  Places(const StoreRun* run, const StoreRun* end) {
    for (int i = 0; i < kVectors; ++i) {
      first_[i] = count_;
      const int lane = i * kWidth;
      while (run != end && run->lane + run->length <= lane) ++run;
      for (const StoreRun* r = run; r != end && r->lane < lane + kWidth; ++r) {
        const int begin = r->lane < lane ? 0 : r->lane - lane;
        const int end_of_run = r->lane + r->length - lane;
        offset_[count_] = r->target - r->lane + lane;
        whole_[count_] = begin == 0 && end_of_run >= kWidth;
        mask_[count_++] = lanes_between(begin, end_of_run);
      }
    }
    first_[kVectors] = count_;
  }

  Vector load(const float* base, int i) const {
    Vector v = broadcast(0.0f);
    for (int p = first_[i]; p < first_[i + 1]; ++p) v = load_lanes(base + offset_[p], mask_[p], v);
    return v;
  }

  void store(float* base, int i, Vector v) const {
    for (int p = first_[i]; p < first_[i + 1]; ++p) {
      if (whole_[p]) {  // a masked store can be many times as slow
        store_vector(base + offset_[p], v);
      } else {
        store_lanes(base + offset_[p], mask_[p], v);
      }
    }
  }

 private:
  static constexpr int kMost = kVectors + kLanes;
  int count_ = 0;
  int first_[kVectors + 1];
  int64_t offset_[kMost];  // of a piece's lane 0
  bool whole_[kMost];      // all lanes
  Mask mask_[kMost];
};

// store() for `rows` rows at once.
template <int rows>
void store_rows(const float* tile, const EpilogueStep* steps, int64_t step_count, const Places& places,
                int64_t channel, int64_t channel_stride, float* y) {
  alignas(64) float other[rows * kLanes];
  Vector v[rows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) v[r][i] = load(tile + r * kLanes + i * kWidth);
  }
  for (int64_t s = 0; s < step_count; ++s) {
    if (steps[s].kind == EpilogueStep::kSum) {
      for (int r = 0; r < rows; ++r) {
        const float* base = steps[s].a + (channel + r) * channel_stride;
        for (int i = 0; i < kVectors; ++i) {
          store_vector(other + r * kLanes + i * kWidth, places.load(base, i));
        }
      }
    }
    apply_step(steps[s], channel, other, v);
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) places.store(y + (channel + r) * channel_stride, i, v[r][i]);
  }
}

void store(const float* tile, int rows, const EpilogueStep* steps, int64_t step_count, const StoreRun* runs,
           int64_t run_count, int64_t channel, int64_t channel_stride, float* y) {
  const Places places(runs, runs + run_count);
  int row = 0;
  for (; row + kStoredRows <= rows; row += kStoredRows) {
    store_rows<kStoredRows>(tile + row * kLanes, steps, step_count, places, channel + row, channel_stride, y);
  }
  for (; row < rows; ++row) {
    store_rows<1>(tile + row * kLanes, steps, step_count, places, channel + row, channel_stride, y);
  }
}

}  // namespace

extern const ConvKernels conv_kernels;
const ConvKernels conv_kernels = {kLanes,
                                  pack,
                                  pack_rows,
                                  accumulate<FusedMultiplyAdd>,
                                  accumulate_in_place,
                                  accumulate_few_outputs,
                                  store,
                                  kZeroKernels,
                                  kPairKernels};

}  // namespace ISA
