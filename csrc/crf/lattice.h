// The permutohedral lattice (Adams, Baek, Davis 2010; "p. N" below), the arithmetic of one point.
//
// A point f of d features is lifted to the hyperplane of d+1 coordinates that sum to 0 ("elevated"), where
// the lattice's vertices are integer vectors whose coordinates agree modulo d+1. Its simplex is given by the
// nearest vertex with remainder 0 and by the ranks of the differences; a vertex is named by its first d
// coordinates.
#pragma once

#include "platform/host_device.h"

constexpr int kMaxDims = 32;
// Points are embedded this many at a time, one SIMD lane each.
constexpr int kLanes = 16;
// The original embeds four points at a time and fills the last group with points whose features are all 0.
constexpr int kGroup = 4;

// One term of the interpolation: `index` is a vertex (in a pixel's list) or a pixel (in a vertex's list).
struct alignas(8) Link {
  unsigned index;
  float weight;
};

// What scales feature i (0..d-1) so that the blur has unit deviation there (p. 7).
static inline float elevation_scale(int i, int d) {
  const float deviation = static_cast<float>(std::sqrt(2.0 / 3.0) * (d + 1));
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>((i + 2) * (i + 1))) * deviation);
}

// Elevated coordinate j = d..1 of a point, given feature j-1; `sum` starts at 0 and ends as coordinate 0.
HOST_DEVICE float elevate(float feature, float scale, int j, float& sum) {
  const float c = feature * scale;
  const float e = sum - static_cast<float>(j) * c;
  sum = sum + c;
  return e;
}

// Nearest multiple of d+1, divided by d+1.
HOST_DEVICE float nearest_multiple(float e, float inverse) { return round_half_even(e * inverse); }

// Whether the keys around a remainder-0 coordinate, and those of their neighbours, fit 16 bits. NaN does not.
HOST_DEVICE bool key_fits(float remainder_0) {
  constexpr int kLimit = 32767 - 2 * kMaxDims;
  const float size = remainder_0 < 0 ? -remainder_0 : remainder_0;
  return size <= static_cast<float>(kLimit);
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
HOST_DEVICE float first_weight(float highest, float lowest) { return highest + (1.0f + (0.0f - lowest)); }

// Blur along `axis`: the neighbour one step back; for the last axis, d, only the -1 applies (p. 5).
HOST_DEVICE int previous_coordinate(int key, int i, int axis, int d) { return i == axis ? key + d : key - 1; }

HOST_DEVICE float blurred(float value, float previous, float next) {
  return value + 0.5f * (previous + next);
}

// Undoes the gain of the blur.
static inline float slice_gain(int d) { return 1.0f / (1.0f + std::pow(2.0f, -static_cast<float>(d))); }
