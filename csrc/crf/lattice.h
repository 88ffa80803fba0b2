// The permutohedral lattice (Adams, Baek, Davis 2010; "p. N" below), the arithmetic of one point.
//
// A point f of d features is lifted to the hyperplane of d+1 coordinates that sum to 0 ("elevated"), where
// the lattice's vertices are integer vectors whose coordinates agree modulo d+1. Its simplex is given by the
// nearest vertex with remainder 0 and by the ranks of the differences; a vertex is named by its first d
// coordinates.
#pragma once

#include "platform/host_device.h"

constexpr int kMaxDims = 1024;
// Points are embedded this many at a time, one SIMD lane each, up to this many features.
constexpr int kLanes = 16;
constexpr int kMaxLaneDims = 32;
// The original embeds four points at a time and fills the last group with points whose features are all 0.
constexpr int kGroup = 4;

// One term of the interpolation: `index` is a vertex (in a pixel's list) or a pixel (in a vertex's list).
struct alignas(8) Link {
  unsigned index;
  float weight;
};

// The original computes with floats and keys of 16 bits. What does not fit those is embedded in doubles with
// keys of 32 bits: `Real` and `Key` below.

// What scales feature i (0..d-1) so that the blur has unit deviation there (p. 7).
template <class Real>
static inline Real elevation_scale(int i, int d) {
  const Real deviation = static_cast<Real>(std::sqrt(2.0 / 3.0) * (d + 1));
  return static_cast<Real>(1.0 / std::sqrt(static_cast<double>((i + 2) * (i + 1))) * deviation);
}

// Elevated coordinate j = d..1 of a point, given feature j-1; `sum` starts at 0 and ends as coordinate 0.
template <class Real>
HOST_DEVICE Real elevate(Real feature, Real scale, int j, Real& sum) {
  const Real c = feature * scale;
  const Real e = sum - static_cast<Real>(j) * c;
  sum = sum + c;
  return e;
}

// Nearest multiple of d+1, divided by d+1.
template <class Real>
HOST_DEVICE Real nearest_multiple(Real e, Real inverse) {
  return round_half_even(e * inverse);
}

// Whether the keys around a remainder-0 coordinate, and those of their neighbours, fit. NaN does not. The
// coordinate moves by d+1 where ranks wrap, by up to d to a vertex and by up to d to its neighbour.
template <class Key = std::int16_t, class Real = float>
HOST_DEVICE bool key_fits(Real remainder_0, int d) {
  constexpr int kLargest = sizeof(Key) == 2 ? 32767 : 2147483647;
  const int moves = 3 * (d + 1) > 64 ? 3 * (d + 1) : 64;
  const Real size = remainder_0 < 0 ? -remainder_0 : remainder_0;
  return size <= static_cast<Real>(kLargest - moves);
}

// Brings a rank back into 0..d after the nearest multiples turned out not to sum to 0; `shift` is what the
// remainder-0 coordinate moves by.
HOST_DEVICE int wrap_rank(int rank, int d, int& shift) {
  shift = rank < 0 ? d + 1 : rank > d ? -(d + 1) : 0;
  return rank + shift;
}

// Coordinate of vertex r (0..d) of the simplex, from its remainder-0 coordinate and rank (p. 4).
HOST_DEVICE int vertex_coordinate(int remainder_0, int rank, int r, int d) {
  return remainder_0 + (rank <= d - r ? r : r - (d + 1));
}

// Weight of vertex 0, from the scaled differences of the highest and the lowest rank; those of the others are
// differences of neighbours in rank order (p. 4).
template <class Real>
HOST_DEVICE Real first_weight(Real highest, Real lowest) {
  return highest + (Real{1} + (Real{0} - lowest));
}

// Blur along `axis`: the neighbour one step back; for the last axis, d, only the -1 applies (p. 5).
HOST_DEVICE int previous_coordinate(int key, int i, int axis, int d) { return i == axis ? key + d : key - 1; }

HOST_DEVICE float blurred(float value, float previous, float next) {
  return value + 0.5f * (previous + next);
}

// Undoes the gain of the blur.
static inline float slice_gain(int d) { return 1.0f / (1.0f + std::pow(2.0f, -static_cast<float>(d))); }
