// One vector register of floats of the instruction set this copy is compiled for.
#pragma once

#include <cstdint>

#include "platform/host_device.h"

#if defined(ISA_AVX512) || defined(ISA_AVX2)
#include <immintrin.h>
#elif defined(ISA_NEON)
#include <arm_neon.h>
#endif

namespace ISA {
namespace {

#if defined(ISA_AVX512)
using Vector = __m512;
constexpr int kWidth = 16;
using Mask = __mmask16;
HOST_DEVICE Mask first_lanes(int count) {
  return static_cast<Mask>(count >= 16 ? 0xffffu : count <= 0 ? 0u : (1u << count) - 1u);
}
HOST_DEVICE Mask lanes_between(int first, int end) {
  return static_cast<Mask>(first_lanes(end) & ~first_lanes(first));
}
// Those whose bits are set, the first bit that of lane 0 of vector v.
HOST_DEVICE Mask lanes_of(uint64_t bits, int v) { return static_cast<Mask>(bits >> (16 * v)); }
HOST_DEVICE Vector load(const float* p) { return _mm512_loadu_ps(p); }
HOST_DEVICE Vector load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
HOST_DEVICE void store_vector(float* p, Vector v) { _mm512_storeu_ps(p, v); }
// p is the address of lane 0, which need not be ours where the mask leaves it out.
HOST_DEVICE void store_lanes(float* p, Mask m, Vector v) { _mm512_mask_storeu_ps(p, m, v); }
HOST_DEVICE Vector load_lanes(const float* p, Mask m, Vector others) {
  return _mm512_mask_loadu_ps(others, m, p);
}
HOST_DEVICE Vector broadcast(float v) { return _mm512_set1_ps(v); }
HOST_DEVICE Vector fma_vector(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
// c - a * b, rounded once.
HOST_DEVICE Vector negative_fma(Vector a, Vector b, Vector c) { return _mm512_fnmadd_ps(a, b, c); }
// Whether every lane's size is between the bounds; false for NaN.
template <int n>
HOST_DEVICE bool all_between(const Vector (&v)[n], float low, float high) {
  Mask between = 0xffff;
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) {
    const Vector size = _mm512_abs_ps(v[i]);
    between = _mm512_mask_cmp_ps_mask(between, size, broadcast(low), _CMP_GT_OQ);
    between = _mm512_mask_cmp_ps_mask(between, size, broadcast(high), _CMP_LT_OQ);
  }
  return between == 0xffff;
}
// Lanes 0, 2, ... of a, then those of b.
HOST_DEVICE Vector even_lanes(Vector a, Vector b) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_ps(a, even, b);
}
// Lanes 0, 2, ... of a, then lanes 1, 3, ... of b.
HOST_DEVICE Vector even_odd_lanes(Vector a, Vector b) {
  const __m512i lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(a, lanes, b);
}
#elif defined(ISA_AVX2)
using Vector = __m256;
constexpr int kWidth = 8;
using Mask = __m256i;
HOST_DEVICE Mask lanes_between(int first, int end) {
  const Mask lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(first), lane),
                             _mm256_cmpgt_epi32(_mm256_set1_epi32(end), lane));
}
HOST_DEVICE Mask lanes_of(uint64_t bits, int v) {
  const Mask bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const Mask all = _mm256_set1_epi32(static_cast<int>(bits >> (8 * v) & 0xff));
  return _mm256_cmpeq_epi32(_mm256_and_si256(all, bit), bit);
}
HOST_DEVICE void store_lanes(float* p, Mask m, Vector v) { _mm256_maskstore_ps(p, m, v); }
HOST_DEVICE Vector load_lanes(const float* p, Mask m, Vector others) {
  return _mm256_blendv_ps(others, _mm256_maskload_ps(p, m), _mm256_castsi256_ps(m));
}
HOST_DEVICE Vector load(const float* p) { return _mm256_loadu_ps(p); }
HOST_DEVICE Vector load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
HOST_DEVICE void store_vector(float* p, Vector v) { _mm256_storeu_ps(p, v); }
HOST_DEVICE Vector broadcast(float v) { return _mm256_set1_ps(v); }
HOST_DEVICE Vector fma_vector(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
HOST_DEVICE Vector negative_fma(Vector a, Vector b, Vector c) { return _mm256_fnmadd_ps(a, b, c); }
// Every bit that is set in one of them.
HOST_DEVICE Vector either(Vector a, Vector b) { return _mm256_or_ps(a, b); }
// Whether a bit besides the sign's is set.
HOST_DEVICE bool any_nonzero(Vector v) {
  return !_mm256_testz_si256(_mm256_castps_si256(v), _mm256_set1_epi32(INT32_MAX));
}
template <int n>
HOST_DEVICE bool all_between(const Vector (&v)[n], float low, float high) {
  Vector between = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) {
    const Vector size = _mm256_andnot_ps(broadcast(-0.0f), v[i]);
    between = _mm256_and_ps(between, _mm256_cmp_ps(size, broadcast(low), _CMP_GT_OQ));
    between = _mm256_and_ps(between, _mm256_cmp_ps(size, broadcast(high), _CMP_LT_OQ));
  }
  return _mm256_movemask_ps(between) == 0xff;
}
HOST_DEVICE Vector even_lanes(Vector a, Vector b) {
  const __m256d halves = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(halves, 0xd8));
}
HOST_DEVICE Vector even_odd_lanes(Vector a, Vector b) {
  const __m256d halves = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xd8));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(halves, 0xd8));
}
#elif defined(ISA_NEON)
using Vector = float32x4_t;
constexpr int kWidth = 4;
using Mask = unsigned;  // a bit a lane: there are no masked instructions
HOST_DEVICE Mask first_lanes(int count) { return count >= 4 ? 0xfu : count <= 0 ? 0u : (1u << count) - 1u; }
HOST_DEVICE Mask lanes_between(int first, int end) { return first_lanes(end) & ~first_lanes(first); }
HOST_DEVICE Mask lanes_of(uint64_t bits, int v) { return static_cast<Mask>(bits >> (4 * v) & 0xf); }
HOST_DEVICE Vector load(const float* p) { return vld1q_f32(p); }
HOST_DEVICE void store_vector(float* p, Vector v) { vst1q_f32(p, v); }
HOST_DEVICE Vector broadcast(float v) { return vdupq_n_f32(v); }
HOST_DEVICE void store_lanes(float* p, Mask m, Vector v) {
  if (m & 1) vst1q_lane_f32(p, v, 0);
  if (m & 2) vst1q_lane_f32(p + 1, v, 1);
  if (m & 4) vst1q_lane_f32(p + 2, v, 2);
  if (m & 8) vst1q_lane_f32(p + 3, v, 3);
}
HOST_DEVICE Vector load_lanes(const float* p, Mask m, Vector others) {
  if (m == 0xf) return load(p);
  if (m & 1) others = vld1q_lane_f32(p, others, 0);
  if (m & 2) others = vld1q_lane_f32(p + 1, others, 1);
  if (m & 4) others = vld1q_lane_f32(p + 2, others, 2);
  if (m & 8) others = vld1q_lane_f32(p + 3, others, 3);
  return others;
}
HOST_DEVICE Vector load(const float* p, Mask m) { return load_lanes(p, m, broadcast(0.0f)); }
HOST_DEVICE Vector fma_vector(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
HOST_DEVICE Vector negative_fma(Vector a, Vector b, Vector c) { return vfmsq_f32(c, a, b); }
HOST_DEVICE Vector either(Vector a, Vector b) {
  return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}
HOST_DEVICE bool any_nonzero(Vector v) { return vmaxvq_u32(vshlq_n_u32(vreinterpretq_u32_f32(v), 1)) != 0; }
template <int n>
HOST_DEVICE bool all_between(const Vector (&v)[n], float low, float high) {
  uint32x4_t between = vdupq_n_u32(0xffffffffu);
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) {
    between = vandq_u32(between, vcagtq_f32(v[i], broadcast(low)));
    between = vandq_u32(between, vcaltq_f32(v[i], broadcast(high)));
  }
  return vminvq_u32(between) != 0;
}
HOST_DEVICE Vector even_lanes(Vector a, Vector b) { return vuzp1q_f32(a, b); }
HOST_DEVICE Vector even_odd_lanes(Vector a, Vector b) {
  return vcombine_f32(vget_low_f32(vuzp1q_f32(a, a)), vget_low_f32(vuzp2q_f32(b, b)));
}
#else
using Vector = float;
constexpr int kWidth = 1;
using Mask = bool;
HOST_DEVICE Mask lanes_between(int first, int end) { return first <= 0 && end > 0; }
HOST_DEVICE Mask lanes_of(uint64_t bits, int v) { return bits >> v & 1; }
HOST_DEVICE void store_lanes(float* p, Mask m, Vector v) {
  if (m) *p = v;
}
HOST_DEVICE Vector load_lanes(const float* p, Mask m, Vector others) { return m ? *p : others; }
HOST_DEVICE Vector load(const float* p) { return *p; }
HOST_DEVICE Vector load(const float* p, Mask m) { return m ? *p : 0.0f; }
HOST_DEVICE void store_vector(float* p, Vector v) { *p = v; }
HOST_DEVICE Vector broadcast(float v) { return v; }
HOST_DEVICE Vector fma_vector(Vector a, Vector b, Vector c) { return fused_multiply_add(a, b, c); }
HOST_DEVICE Vector even_lanes(Vector a, Vector) { return a; }
HOST_DEVICE Vector even_odd_lanes(Vector a, Vector) { return a; }
#endif

// Short runs of any length; left to itself the compiler would call memcpy or use string instructions.
#ifdef ISA_AVX512
HOST_DEVICE void copy_floats(const float* source, int64_t length, float* target) {
  for (; length >= 16; length -= 16, source += 16, target += 16) store_vector(target, load(source));
  if (length > 0) {
    const Mask m = first_lanes(static_cast<int>(length));
    _mm512_mask_storeu_ps(target, m, load(source, m));
  }
}
#else
HOST_DEVICE void copy_floats(const float* source, int64_t length, float* target) {
  for (int64_t i = 0; i < length; ++i) target[i] = source[i];
}
#endif

}  // namespace
}  // namespace ISA
