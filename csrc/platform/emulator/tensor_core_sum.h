// How tensor cores add up the products of one instruction and what was there before: products are exact, all
// addends are aligned to the largest one's exponent, bits that then lie too low are cut off, and the sum is
// cut off to a float. Nothing is rounded to nearest.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace emulator {

// Bits below those of a float that take part in a sum; two or more on sm_90, none on sm_70, as tests of such
// GPUs by others show. DEEPLAB_CAFFE_EMULATED_EXTRA_BITS changes it, for tests.
inline int extra_bits() {
  static const int bits = [] {
    const char* given = std::getenv("DEEPLAB_CAFFE_EMULATED_EXTRA_BITS");
    return given ? std::atoi(given) : 2;
  }();
  return bits;
}

// 2^exponent, by the exponent's field in a double.
inline double power_of_two(std::uint64_t field) {
  const std::uint64_t bits = field << 52;
  double value;
  std::memcpy(&value, &bits, 8);
  return value;
}

// x, a float or between two floats, cut off.
inline float cut_off(double x) {
  const float nearest = static_cast<float>(x);
  return std::fabs(static_cast<double>(nearest)) > std::fabs(x) ? std::nextafterf(nearest, 0.0f) : nearest;
}

// addend[0] is what was there before.
template <int count>
float tensor_core_sum(const double (&addend)[count]) {
  double largest = 0.0, plain = 0.0;
  for (const double value : addend) {
    largest = std::fabs(value) > largest ? std::fabs(value) : largest;
    plain += value;
  }
  if (largest == 0.0 || !std::isfinite(plain)) return static_cast<float>(plain);
  std::uint64_t field;
  std::memcpy(&field, &largest, 8);
  const int below = 23 + extra_bits();
  const double step = power_of_two((field >> 52) - below),
               inverse = power_of_two(2046 - (field >> 52) + below);
  double steps = 0.0;  // a whole number of less than 53 bits
  for (const double value : addend) steps += std::trunc(value * inverse);
  return cut_off(steps * step);
}

}  // namespace emulator
