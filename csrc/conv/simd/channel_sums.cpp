#include "conv/channel_sums.h"

namespace ISA {
namespace {

constexpr int64_t kRun = 4096;

// The sum of a run in eight chains; four values that are left over come first.
float sum_by_eights(const float* x, int64_t count) {
  float lane[8] = {};
  int64_t i = count % 8;
  for (int k = 0; k < i; ++k) lane[k] = x[k];
  for (; i < count; i += 8) {
    for (int k = 0; k < 8; ++k) lane[k] += x[i + k];
  }
  for (int k = 0; k < 4; ++k) lane[k] += lane[k + 4];
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

float sum_by_fours(const float* x, int64_t count) {
  float lane[4] = {};
  for (int64_t i = 0; i < count; i += 4) {
    for (int k = 0; k < 4; ++k) lane[k] += x[i + k];
  }
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

}  // namespace

void channel_sums(const float* dy, float* sums, int64_t batch, int64_t channels, int64_t positions,
                  int threads) {
  const int64_t whole = positions / 4 * 4, fours = channels / 4 * 4;
#pragma omp parallel for num_threads(threads)
  for (int64_t c = 0; c < channels; ++c) {
    const bool by_fours = channels % 4 >= 2 && c >= fours && c < fours + 2;
    float total = sums[c];
    for (int64_t n = 0; n < batch; ++n) {
      const float* x = dy + (n * channels + c) * positions;
      for (int64_t begin = 0; begin < whole; begin += kRun) {
        const int64_t count = whole - begin < kRun ? whole - begin : kRun;
        total += by_fours ? sum_by_fours(x + begin, count) : sum_by_eights(x + begin, count);
      }
      if (whole == positions) continue;
      float rest = x[whole];
      for (int64_t i = whole + 1; i < positions; ++i) rest += x[i];
      total += rest;
    }
    sums[c] = total;
  }
}

}  // namespace ISA
