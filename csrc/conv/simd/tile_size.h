// Sizes of the tiles of this instruction set.
#pragma once

#include "platform/simd/vector.h"

namespace ISA {
namespace {

// Output positions in a tile, and whether tiles may be packed by row.
#if defined(ISA_AVX2) || defined(ISA_NEON)
constexpr int kLanes = 24;
constexpr bool kByRow = true;
#else
constexpr int kLanes = 48;
constexpr bool kByRow = false;
#endif

constexpr int kVectors = kLanes / kWidth;

// kTileRows x kTileVectors sums fill the registers. The lanes of a tile are those of such a block, so that
// its inputs are read one after the other: half of each cache line would come from afar for nothing.
#if defined(ISA_AVX512) || defined(ISA_NEON)
constexpr int kTileRows = 8;
#else
constexpr int kTileRows = 4;
#endif
constexpr int kTileVectors = 3;

}  // namespace
}  // namespace ISA
