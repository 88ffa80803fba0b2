// The exponentials of the mean field, for one value.
#pragma once

#include <cstdint>

#include "platform/host_device.h"

// A selection that compilers do not turn into a branch, which would keep them from vectorising. (With AVX-512
// they mask, given the plain form.)
HOST_DEVICE float if_else(bool condition, float yes, float no) {
#ifdef __AVX512F__
  return condition ? yes : no;
#else
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(condition);
  return bits_float((float_bits(yes) & mask) | (float_bits(no) & ~mask));
#endif
}

// The original's approximate exponential for x <= 0 (NaN stays NaN): halve n times until -x <= 0.69, a
// polynomial of degree 7, square n times; 0 below -20. Each halving is exact, so n alone says which path was
// taken. (A multiplication by 1 changes nothing.)
HOST_DEVICE float fast_exp(float x) {
  // Thresholds are 0.69 * 2^k as doubles; for a float a, a > threshold is a > the next float below it.
  const float threshold = 0.689999997615814208984375f;
  const float size = 0.0f - x;  // not -0, of which the bits are large
  // n << 23: what of the size's exponent is above the threshold's. (A size of NaN leaves its product NaN.)
  const std::int32_t above =
      static_cast<std::int32_t>(float_bits(size) + (0x7fffffu - float_bits(threshold)));
  const std::uint32_t halvings = static_cast<std::uint32_t>(above > 0 ? above : 0) & 0xff800000u;
  const float a = size * bits_float(float_bits(1.0f) - halvings);
  float p =
      1.0f -
      a * (0.9999999995f -
           a * (0.4999999206f -
                a * (0.1666653019f -
                     a * (0.0416573475f - a * (0.0083013598f - a * (0.0013298820f - a * 0.0001413161f))))));
  p = p * if_else(size > threshold, p, 1.0f);
  p = p * if_else(size > 2 * threshold, p, 1.0f);
  p = p * if_else(size > 4 * threshold, p, 1.0f);
  p = p * if_else(size > 8 * threshold, p, 1.0f);
  p = p * if_else(size > 16 * threshold, p, 1.0f);
  return if_else(size > 20.0f, 0.0f, p);
}

// exp(x) for x <= 0 to about 1 ulp (0 below -87, NaN stays NaN): x = n ln 2 + r, Taylor in r, times 2^n.
HOST_DEVICE float true_exp(float x) {
  const float bounded = x < -87.0f ? -87.0f : x;
  const float n = round_half_even(bounded * 1.44269504f);
  const float r = (bounded - n * 0.693145752f) - n * 1.42860677e-6f;
  const float p =
      1.0f +
      r * (1.0f + r * (0.5f + r * (1.66666667e-1f +
                                   r * (4.16666667e-2f +
                                        r * (8.33333333e-3f + r * (1.38888889e-3f + r * 1.98412698e-4f))))));
  const float scaled =
      p * bits_float(static_cast<std::uint32_t>(static_cast<std::int32_t>(n == n ? n : 0.0f) + 127) << 23);
  return x < -87.0f ? 0.0f : scaled;
}
