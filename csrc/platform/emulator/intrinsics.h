// The intrinsics that kernels use, one running thread at a time; a __shared__ word or an atomic is plain
// memory here.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "platform/emulator/scheduler.h"

#define EMULATED_VECTORS(type, name)                                                     \
  struct alignas(2 * sizeof(type)) name##2 { type x, y; };                               \
  struct name##3 { type x, y, z; };                                                      \
  struct alignas(sizeof(type) < 8 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; }; \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                       \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }            \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
EMULATED_VECTORS(float, float)
EMULATED_VECTORS(double, double)
EMULATED_VECTORS(int, int)
EMULATED_VECTORS(unsigned, uint)
EMULATED_VECTORS(short, short)
EMULATED_VECTORS(unsigned short, ushort)
EMULATED_VECTORS(signed char, char)
EMULATED_VECTORS(unsigned char, uchar)
EMULATED_VECTORS(long long, longlong)
EMULATED_VECTORS(unsigned long long, ulonglong)
#undef EMULATED_VECTORS

// What is common to CUDA's min and max: the usual arithmetic conversions; for floats NaN is the loser.
template <typename A, typename B>
inline auto min(A a, B b) {
  using T = decltype(a + b);
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(std::fmin(T(a), T(b)));
  return T(b) < T(a) ? T(b) : T(a);
}
template <typename A, typename B>
inline auto max(A a, B b) {
  using T = decltype(a + b);
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(std::fmax(T(a), T(b)));
  return T(a) < T(b) ? T(b) : T(a);
}

// Bits.
template <typename To, typename From>
inline To emulated_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
inline int __float_as_int(float x) { return emulated_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emulated_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(unsigned x) { return __builtin_ffs(static_cast<int>(x)); }
inline int __ffsll(unsigned long long x) { return __builtin_ffsll(static_cast<long long>(x)); }
inline int __clz(unsigned x) { return x == 0 ? 32 : __builtin_clz(x); }
inline int __clzll(unsigned long long x) { return x == 0 ? 64 : __builtin_clzll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}

// Arithmetic with one rounding each.
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }

// Memory.
template <typename T>
inline T __ldg(const T* address) {
  return *address;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
template <typename T, typename Change>
inline T emulated_atomic(T* address, Change change) {
  const T before = *address;
  *address = change(before);
  return before;
}
template <typename T>
struct EmulatedSame {
  using type = T;
};
template <typename T>
using EmulatedValue =
    typename EmulatedSame<T>::type;  // not deduced: atomicAdd(&unsigned, 1) works as in CUDA
template <typename T>
inline T atomicAdd(T* address, EmulatedValue<T> value) {
  static_assert(std::is_integral_v<T>, "float atomics have no fixed order");
  return emulated_atomic(address, [=](T x) { return static_cast<T>(x + value); });
}
template <typename T>
inline T atomicSub(T* address, EmulatedValue<T> value) {
  static_assert(std::is_integral_v<T>, "float atomics have no fixed order");
  return emulated_atomic(address, [=](T x) { return static_cast<T>(x - value); });
}
template <typename T>
inline T atomicMin(T* address, EmulatedValue<T> value) {
  return emulated_atomic(address, [=](T x) { return value < x ? value : x; });
}
template <typename T>
inline T atomicMax(T* address, EmulatedValue<T> value) {
  return emulated_atomic(address, [=](T x) { return x < value ? value : x; });
}
template <typename T>
inline T atomicAnd(T* address, EmulatedValue<T> value) {
  return emulated_atomic(address, [=](T x) { return static_cast<T>(x & value); });
}
template <typename T>
inline T atomicOr(T* address, EmulatedValue<T> value) {
  return emulated_atomic(address, [=](T x) { return static_cast<T>(x | value); });
}
template <typename T>
inline T atomicExch(T* address, EmulatedValue<T> value) {
  return emulated_atomic(address, [=](T) { return value; });
}
template <typename T>
inline T atomicCAS(T* address, EmulatedValue<T> expected, EmulatedValue<T> value) {
  return emulated_atomic(address, [=](T x) { return x == expected ? value : x; });
}

// Barriers and exchanges within a warp.
inline void __syncthreads() { emulator::barrier(); }
inline int __syncthreads_count(int condition) {
  return static_cast<int>(emulator::barrier(0, 0, condition != 0 ? 1 : 0));
}
inline int __syncthreads_or(int condition) { return __syncthreads_count(condition) != 0; }
inline int __syncthreads_and(int condition) { return __syncthreads_count(condition == 0) == 0; }

constexpr unsigned kEmulatedWholeWarp = 0xffffffffu;
inline void __syncwarp(unsigned mask = kEmulatedWholeWarp) {
  emulator::exchange(emulator::Exchange::kSync, mask, 0);
}

template <typename T>
inline T emulated_shuffle(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = emulator::exchange(emulator::Exchange::kShuffle, mask, bits, source);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int first = emulator::lane() / width * width;
  return emulated_shuffle(mask, value, first + (source & (width - 1)));
}
template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = emulator::lane(), source = lane - static_cast<int>(delta);
  return emulated_shuffle(mask, value, source < lane / width * width ? lane : source);
}
template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = emulator::lane(), source = lane + static_cast<int>(delta);
  return emulated_shuffle(mask, value, source >= (lane / width + 1) * width ? lane : source);
}
template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int lane = emulator::lane(), source = lane ^ bits;
  return emulated_shuffle(mask, value, source >= (lane / width + 1) * width ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, int condition) {
  return static_cast<unsigned>(emulator::exchange(emulator::Exchange::kBallot, mask, condition != 0));
}
inline int __any_sync(unsigned mask, int condition) { return __ballot_sync(mask, condition) != 0; }
inline int __all_sync(unsigned mask, int condition) { return __ballot_sync(mask, condition) == mask; }
template <typename T>
inline unsigned __match_any_sync(unsigned mask, T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return static_cast<unsigned>(emulator::exchange(emulator::Exchange::kMatch, mask, bits));
}
template <typename T>
inline T __reduce_add_sync(unsigned mask, T value) {
  static_assert(sizeof(T) == 4 && std::is_integral_v<T>);
  return static_cast<T>(
      emulator::exchange(emulator::Exchange::kSum, mask, static_cast<std::uint32_t>(value)));
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(emulator::exchange(emulator::Exchange::kMin, mask, value));
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value) {
  return static_cast<unsigned>(emulator::exchange(emulator::Exchange::kMax, mask, value));
}
