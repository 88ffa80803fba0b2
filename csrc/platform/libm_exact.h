// expf and logf with the bits of the GNU C library (2.28 and later), on any machine.
//
// That library reduces the argument with a small table, evaluates a short polynomial in double and rounds to
// float once. The doubles below are the constants of that method (S. Nagy's single-precision functions). The
// library has a copy for processors with fma and one for those without; expf differs between them for two of
// all floats, logf for none. These functions give the fma copy's bits without needing one: where the fma
// matters, the product is split into two exact ones. Conditions choose between bits, never between paths, so
// that compilers vectorise loops over these functions.
#pragma once

#include <cstdint>
#include <cstring>

#include "platform/host_device.h"

HOST_DEVICE double bits_double(std::uint64_t u) {
  double x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}

HOST_DEVICE std::uint64_t double_bits(double x) {
  std::uint64_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}

// `a` if the condition holds, else `b`.
HOST_DEVICE float choose_bits(bool condition, float a, float b) {
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(condition);
  return bits_float((float_bits(a) & mask) | (float_bits(b) & ~mask));
}

#ifdef __CUDACC__
#define EXACT_TABLE static __device__ __constant__ const
#else
#define EXACT_TABLE static constexpr
#endif

// Bits of 2^(i/32), less i << 47, so that adding k << 47 makes 2^(k/32) for every integer k = i mod 32.
EXACT_TABLE std::uint64_t kExpTable[32] = {
    0x3ff0000000000000, 0x3fefd9b0d3158574, 0x3fefb5586cf9890f, 0x3fef9301d0125b51, 0x3fef72b83c7d517b,
    0x3fef54873168b9aa, 0x3fef387a6e756238, 0x3fef1e9df51fdee1, 0x3fef06fe0a31b715, 0x3feef1a7373aa9cb,
    0x3feedea64c123422, 0x3feece086061892d, 0x3feebfdad5362a27, 0x3feeb42b569d4f82, 0x3feeab07dd485429,
    0x3feea47eb03a5585, 0x3feea09e667f3bcd, 0x3fee9f75e8ec5f74, 0x3feea11473eb0187, 0x3feea589994cce13,
    0x3feeace5422aa0db, 0x3feeb737b0cdc5e5, 0x3feec49182a3f090, 0x3feed503b23e255d, 0x3feee89f995ad3ad,
    0x3feeff76f2fb5e47, 0x3fef199bdd85529c, 0x3fef3720dcef9069, 0x3fef5818dcfba487, 0x3fef7c97337b9b5f,
    0x3fefa4afa2a490da, 0x3fefd0765b6e4540,
};

// 1/c and log(c) for a c near the middle of each sixteenth of [0.7, 1.4).
EXACT_TABLE double kLogInverse[16] = {
    0x1.661ec79f8f3bep+0, 0x1.571ed4aaf883dp+0,
    0x1.49539f0f010bp+0,  0x1.3c995b0b80385p+0,
    0x1.30d190c8864a5p+0, 0x1.25e227b0b8eap+0,
    0x1.1bb4a4a1a343fp+0, 0x1.12358f08ae5bap+0,
    0x1.0953f419900a7p+0, 0x1p+0,
    0x1.e608cfd9a47acp-1, 0x1.ca4b31f026aap-1,
    0x1.b2036576afce6p-1, 0x1.9c2d163a1aa2dp-1,
    0x1.886e6037841edp-1, 0x1.767dcf5534862p-1,
};
EXACT_TABLE double kLogCenter[16] = {
    -0x1.57bf7808caadep-2, -0x1.2bef0a7c06ddbp-2,
    -0x1.01eae7f513a67p-2, -0x1.b31d8a68224e9p-3,
    -0x1.6574f0ac07758p-3, -0x1.1aa2bc79c81p-3,
    -0x1.a4e76ce8c0e5ep-4, -0x1.1973c5a611cccp-4,
    -0x1.252f438e10c1ep-5, 0x0p+0,
    0x1.aa5aa5df25984p-5,  0x1.c5e53aa362eb4p-4,
    0x1.526e57720db08p-3,  0x1.bc2860d22477p-3,
    0x1.1058bc8a07ee1p-2,  0x1.4043057b6ee09p-2,
};

// e^x. Overflow gives infinity, underflow subnormals and 0, NaN NaN.
HOST_DEVICE float exact_expf(float argument) {
  // From +-105 on the result is infinite or 0 anyway; up to there 2^k fits a double. NaN is kept.
  const std::uint32_t bits = float_bits(argument), magnitude = bits & 0x7fffffffu;
  const std::uint32_t limit = 0x42d20000u;  // 105.0f
  const std::uint32_t nan = 0x7fc00000u & (0u - static_cast<std::uint32_t>(magnitude > 0x7f800000u));
  const float x = bits_float((bits & 0x80000000u) | (magnitude < limit ? magnitude : limit) | nan);
  const double wide = x;
  const double rounder = 0x1.8p+52;  // adding it leaves the nearest integer in the low bits
  const double shifted = 0x1.71547652b82fep+5 * wide + rounder;  // x * 32/ln 2
  const std::uint64_t k = double_bits(shifted);
  // fma(32/ln 2, x, -k): the constant's high 29 bits, then the rest; only the last sum rounds.
  const double r = (0x1.7154765p+5 * wide - (shifted - rounder)) + 0x2b82fep-47 * wide;
  const double power = bits_double(kExpTable[k & 31] + (k << 47));
  const double high = 0x1.c6af84b912394p-20 * r + 0x1.ebfce50fac4f3p-13;
  const double low = 0x1.62e42ff0c52d6p-6 * r + 1.0;
  return static_cast<float>((high * (r * r) + low) * power);
}

// The natural logarithm. log(+-0) = -infinity, of a negative number NaN.
HOST_DEVICE float exact_logf(float x) {
  const bool subnormal = x < 0x1p-126f;
  const std::uint32_t bits =
      float_bits(choose_bits(subnormal, x * 0x1p23f, x)) - (subnormal ? 23u << 23 : 0u);
  const std::uint32_t offset = bits - 0x3f330000u;
  const std::uint64_t i = (offset >> 19) & 15;
  const std::int32_t k = static_cast<std::int32_t>(offset) >> 23;
  const double z = bits_float(bits - (offset & 0xff800000u));
  const double r = z * kLogInverse[i] - 1.0;
  const double base = kLogCenter[i] + k * 0x1.62e42fefa39efp-1;
  const double inner = -0x1.00ea348b88334p-2 * (r * r) + (0x1.5575b0be00b6ap-2 * r - 0x1.ffffef20a4123p-2);
  const float y = static_cast<float>(inner * (r * r) + (base + r));
  const float infinity = __builtin_inff();
  const float positive = choose_bits(x == infinity, infinity, y);
  const float nonnegative = choose_bits(x == 0.0f, -infinity, positive);
  return choose_bits(x >= 0.0f, nonnegative, __builtin_nanf(""));
}
