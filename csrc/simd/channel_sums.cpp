#include "channel_sums.h"

namespace ISA {
namespace {

constexpr int kParts = 32;  // sums that advance side by side; always as many, so that the bits are the same

double sum(const float* x, int64_t count) {
  double part[kParts] = {};
  int64_t i = 0;
  for (; i + kParts <= count; i += kParts) {
    for (int p = 0; p < kParts; ++p) part[p] += x[i + p];
  }
  for (int p = 0; i < count; ++i, ++p) part[p] += x[i];
  double total = 0;
  for (double p : part) total += p;
  return total;
}

}  // namespace

void channel_sums(const float* dy, float* sums, int64_t batch, int64_t channels, int64_t positions,
                  int threads) {
#pragma omp parallel for num_threads(threads)
  for (int64_t c = 0; c < channels; ++c) {
    float total = 0;
    for (int64_t n = 0; n < batch; ++n) {
      total += static_cast<float>(sum(dy + (n * channels + c) * positions, positions));
    }
    sums[c] = total;
  }
}

}  // namespace ISA
