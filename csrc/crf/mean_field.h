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

template <class Mask, class Vector>
HOST_DEVICE Vector if_else(const Mask& mask, const Vector& yes, const Vector& no) {
  return mask ? yes : no;
}

// The original's approximate exponential for x <= 0 (NaN stays NaN): halve n times until -x <= 0.69, a
// polynomial of degree 7, square n times; 0 below -20. Its steps, of one value or of a vector of them:

// Thresholds are 0.69 * 2^k as doubles; for a float a, a > threshold is a > the next float below it.
constexpr float kExpThreshold = 0.689999997615814208984375f;
constexpr int kExpTerms = 8, kExpSquarings = 5;

// n, the number of halvings, as an exponent: n << 23. Each halving is exact, so n, by which the exponent is
// above the threshold's, alone says which path was taken. (A size of NaN leaves its product NaN; one of -0
// has large bits.) size: -x. Int: as large as Float.
template <class Float, class Int>
HOST_DEVICE Int exp_halvings(Float size) {
  Int above;
  __builtin_memcpy(&above, &size, sizeof above);
  above += static_cast<std::int32_t>(0x7fffffu - float_bits(kExpThreshold));
  above = above > 0 ? above : Int{};
  return above & ~0x7fffff;
}

template <class Float, class Int>
HOST_DEVICE Float exp_halved(Float size, Int halvings) {
  const Int scale_bits = static_cast<std::int32_t>(float_bits(1.0f)) - halvings;
  Float scale;
  __builtin_memcpy(&scale, &scale_bits, sizeof scale);
  return size * scale;
}

// The polynomial begins with its last term; p: the terms above k's.
template <class Float>
HOST_DEVICE Float exp_last_term() {
  return 0.0001413161f - Float{};
}

template <class Float>
HOST_DEVICE Float exp_term(int k, Float a, Float p) {
  constexpr float terms[kExpTerms - 1] = {1.0f,          0.9999999995f, 0.4999999206f, 0.1666653019f,
                                          0.0416573475f, 0.0083013598f, 0.0013298820f};
  return terms[k] - a * p;
}

// p squared if x was halved once more. (A multiplication by 1 changes nothing.)
template <class Mask, class Float>
HOST_DEVICE Float exp_squared(const Mask& halved, Float p) {
  return p * if_else(halved, p, 1.0f - Float{});
}

template <class Float>
HOST_DEVICE Float exp_bounded(Float x, Float p) {
  return if_else(x < -20.0f, Float{}, p);
}

HOST_DEVICE float fast_exp(float x) {
  const float size = 0.0f - x;
  const auto halvings = exp_halvings<float, std::int32_t>(size);
  const float a = exp_halved(size, halvings);
  float p = exp_last_term<float>();
#pragma GCC unroll 8
  for (int k = kExpTerms - 2; k >= 0; --k) p = exp_term(k, a, p);
#pragma GCC unroll 8
  for (int k = 0; k < kExpSquarings; ++k) {
    // (Of the halvings compilers see that one comparison follows from another, branch, and do not vectorise.)
    p = exp_squared(x < -kExpThreshold * static_cast<float>(1 << k), p);
  }
  return exp_bounded(x, p);
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
