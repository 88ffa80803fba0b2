// One tile of a convolution on one thread block: rows (output channels) x positions (outputs), walked stage
// by stage of the reduction (see conv_tile_plan.h).
//
// Every thread sums kRows x kColumns outputs in registers, each a single chain of fused multiply-adds in the
// order of k. Inputs and weights of the next stages are on their way to shared memory meanwhile. The lanes of
// a warp are laid out so that neighbours share a row or a column of the tile: their 16-byte reads of shared
// memory then coincide and take half the time.
#pragma once

#include "conv/cuda/conv_tile_plan.h"
#include "conv/cuda/epilogue.cuh"
#include "platform/cuda/ptx.cuh"

namespace device {

// What a launch is about, by value. Sizes of the geometry as the inner loops want them.
struct ConvArguments {
  const StageTable* stages;
  const TileRegion* regions;
  const PositionTile* tiles;
  const int32_t* ends;
  const float *x, *weights;
  float *y, *scratch;
  Epilogue epilogue;
  int items, whole, whole_slots, groups, rows, row_tiles, row_stride, weight_step, depth, blocks,
      group_channels;
  int in_height, in_width, out_width, stride_height, stride_width, pad_height, pad_width;
  int64_t in_area, out_area;
};

// Compile-time sides of a tile; index: its entry of kTileShapes.
template <int index, int warps_down, int warps_across>
struct Shape {
  static constexpr TileShape kShape = kTileShapes[index];
  static constexpr int kTileRows = kShape.rows, kTilePositions = kShape.positions;
  static constexpr int kThreads = kShape.threads, kBlocks = kShape.blocks, kWarpsAcross = warps_across;
  // A warp is 4 x 8 threads, a thread's rows and columns come in fours.
  static constexpr int kRows = kTileRows / (4 * warps_down);
  static constexpr int kColumns = kTilePositions / (8 * warps_across);
  static constexpr int kQuads = kRows * kColumns / 4;
  static constexpr int kStages = 3;
  // A thread copies inputs of one column, for so many k of a stage, and weights of four rows.
  static constexpr int kInputs = kStageDepth * kTilePositions / kThreads;
  static constexpr int kWeightLanes = kTileRows / 4, kWeights = kStageDepth * kWeightLanes / kThreads;
  static constexpr int kStageFloats = kStageDepth * (kTileRows + kTilePositions);
  static constexpr int kStoredRows = 16 * warps_down;  // rows of the tile that are stored at a time
  static constexpr int kStageBytes = kStageFloats * static_cast<int>(sizeof(float));
  static constexpr int kSharedBytes = kStages * (kStageBytes + static_cast<int>(sizeof(StageTable)));

  static_assert(warps_down * warps_across * 32 == kThreads);
  static_assert(kRows % 4 == 0 && kColumns % 4 == 0);
  static_assert(kThreads % kTilePositions == 0 || kTilePositions == kThreads, "a thread copies one column");
  static_assert(kStoredRows * kTilePositions <= kStages * kStageFloats);
};

// A tile of outputs.
struct OutputTile {
  PositionTile positions;
  int group, row;  // row: the first
};

__device__ __forceinline__ OutputTile find_tile(const ConvArguments& a, int number, int tile_rows) {
  OutputTile tile;
  tile.row = number % a.row_tiles * tile_rows;
  number /= a.row_tiles;
  tile.group = number % a.groups;
  tile.positions = a.tiles[number / a.groups];
  return tile;
}

// A work item is a tile, or a block of the reduction of one.
__device__ __forceinline__ int tile_of_item(const ConvArguments& a, int item) {
  return item < a.whole ? item : a.whole + (item - a.whole) / a.blocks;
}
__device__ __forceinline__ int block_of_item(const ConvArguments& a, int item) {
  return item < a.whole ? 0 : (item - a.whole) % a.blocks;
}
// Where in the scratch memory the item's sums are kept: its own place, or that of its thread block.
__device__ __forceinline__ int slot_of_item(const ConvArguments& a, int item) {
  return item < a.whole ? blockIdx.x : a.whole_slots + (item - a.whole);
}

// An output position: its image, and where in it the output lies.
struct Position {
  int image, y, x;
};

__device__ __forceinline__ Position find_position(const ConvArguments& a, const PositionTile& tile,
                                                  int column) {
  // Columns beyond the last position do the first one's work, which nobody stores.
  const int position = tile.first + (column < tile.count ? column : 0);
  const TileRegion* region = a.regions + tile.region;
  while (position >= region[1].first) ++region;
  const int local = position - region->first, row = local / region->width;
  return {row / region->height, region->row + row % region->height, region->column + local % region->width};
}

// What the thread copies of every stage: inputs of one column of the tile and weights of four of its rows,
// each for a few k in a row; and a piece of a table.
struct Sources {
  const float* input;
  const char* weights;
  int table;                                     // the next one
  int y, x;                                      // of the column's first tap
  ptx::SharedAddress input_place, weight_place;  // in the first stage
};

template <class S>
__device__ __forceinline__ int first_input_k() {
  return threadIdx.x / S::kTilePositions * S::kInputs;
}
template <class S>
__device__ __forceinline__ int first_weight_k() {
  return threadIdx.x / S::kWeightLanes * S::kWeights;
}

template <class S>
__device__ __forceinline__ Sources find_sources(const ConvArguments& a, const OutputTile& tile,
                                                int first_stage, const float* shared) {
  const int column = threadIdx.x % S::kTilePositions, row = threadIdx.x % S::kWeightLanes * 4;
  const Position p = find_position(a, tile.positions, column);
  Sources s;
  s.y = p.y * a.stride_height - a.pad_height;
  s.x = p.x * a.stride_width - a.pad_width;
  const int64_t channel = (int64_t{p.image} * a.groups + tile.group) * a.group_channels;
  s.input = a.x + (channel * a.in_area + int64_t{s.y} * a.in_width + s.x);
  // Rows behind the last one get the first one's weights; their outputs are not stored.
  const int there = tile.row + row < a.row_stride ? tile.row + row : 0;
  s.weights =
      reinterpret_cast<const char*>(a.weights + (int64_t{tile.group} * a.depth * a.row_stride + there));
  s.table = tile.positions.stage + first_stage;
  const float* inputs = shared + kStageDepth * S::kTileRows + first_input_k<S>() * S::kTilePositions;
  s.input_place = ptx::shared_address(inputs + column);
  s.weight_place = ptx::shared_address(shared + first_weight_k<S>() * S::kTileRows + row);
  keep(s.input);
  keep(s.weights);
  keep(s.input_place);
  return s;
}

// Shared memory: the stages' values, each [k][row] then [k][position], and then their tables.
template <class S>
__device__ __forceinline__ const StageTable& stage_table(const float* shared, int slot) {
  return reinterpret_cast<const StageTable*>(shared + S::kStages * S::kStageFloats)[slot];
}

// Copies the next table.
template <class S>
__device__ __forceinline__ void copy_table(const ConvArguments& a, Sources& s, const float* shared,
                                           int slot) {
  constexpr int kPieces = sizeof(StageTable) / 16;
  static_assert(sizeof(StageTable) % 16 == 0 && kPieces <= S::kThreads);
  if (threadIdx.x < kPieces) {
    const char* from = reinterpret_cast<const char*>(a.stages + s.table) + 16 * threadIdx.x;
    ptx::copy_async_16(ptx::shared_address(&stage_table<S>(shared, slot)) + 16 * threadIdx.x, from, false);
  }
  ++s.table;
}

// Addresses come before the first copy: a copy right behind a read of shared memory costs extra instructions.
template <class S, bool checked>
__device__ __forceinline__ void copy_stage(const ConvArguments& a, const Sources& s, const StageTable& table,
                                           int slot) {
  constexpr int kAtOnce = S::kWeights > 2 ? 4 : 8;  // what there are registers for
  const int first_k = first_input_k<S>(), first_weight = first_weight_k<S>();
  const int left = table.filled - first_k, weights_left = table.filled - first_weight;
  const char* weights[S::kWeights];
#pragma unroll
  for (int i = 0; i < S::kWeights; ++i)
    weights[i] = s.weights + int64_t{table.k[first_weight + i]} * a.weight_step;
#pragma unroll
  for (int first = 0; first < S::kInputs; first += kAtOnce) {
    const float* from[kAtOnce];
    bool zero[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int k = first_k + first + i;
      from[i] = s.input + table.offset[k];
      zero[i] = first + i >= left;
      if (checked) {
        zero[i] |= static_cast<unsigned>(s.y + table.row[k]) >= static_cast<unsigned>(a.in_height);
        zero[i] |= static_cast<unsigned>(s.x + table.column[k]) >= static_cast<unsigned>(a.in_width);
      }
    }
    if (first == 0) {
      const ptx::SharedAddress to = s.weight_place + slot * S::kStageBytes;
#pragma unroll
      for (int i = 0; i < S::kWeights; ++i) {
        ptx::copy_async_16(to + i * S::kTileRows * 4, weights[i], i >= weights_left);
      }
    }
    const ptx::SharedAddress to = s.input_place + slot * S::kStageBytes;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      ptx::copy_async_4(to + (first + i) * S::kTilePositions * 4, from[i], zero[i]);
    }
  }
}

template <class S>
__device__ __forceinline__ void copy_stage(const ConvArguments& a, const Sources& s, bool checked,
                                           const float* shared, int slot) {
  const StageTable& table = stage_table<S>(shared, slot);
  if (checked) {
    copy_stage<S, true>(a, s, table, slot);
  } else {
    copy_stage<S, false>(a, s, table, slot);
  }
}

// Where the thread's outputs lie in the tile: in rows (and columns) first + 16 (32) * fours + 0, 1, 2, 3.
template <class S>
__device__ __forceinline__ int first_row() {
  const int warp = threadIdx.x / 32 / S::kWarpsAcross, lane = threadIdx.x % 32;
  return warp * 4 * S::kRows + (lane / 16 * 2 + lane % 2) * 4;
}
template <class S>
__device__ __forceinline__ int first_column() {
  const int warp = threadIdx.x / 32 % S::kWarpsAcross, lane = threadIdx.x % 32;
  return warp * 8 * S::kColumns + lane / 2 % 8 * 4;
}

// n floats in fours, `step` apart, from 16-byte aligned shared memory.
template <int n, int step>
__device__ __forceinline__ void load_fours(const float* from, float (&to)[n]) {
#pragma unroll
  for (int i = 0; i < n; i += 4) {
    const float4 four = *reinterpret_cast<const float4*>(from + i / 4 * step);
    to[i] = four.x;
    to[i + 1] = four.y;
    to[i + 2] = four.z;
    to[i + 3] = four.w;
  }
}

// sum[row][column] = fma(weight, input, sum) for each k of a stage in turn. row, column: the thread's first.
template <class S>
__device__ __forceinline__ void multiply_stage(const float* values, int row, int column,
                                               float (&sum)[S::kRows][S::kColumns]) {
  const float* weights = values + row;
  const float* inputs = values + kStageDepth * S::kTileRows + column;
  // No sum depends on the order of the columns, but which registers are read together does.
  constexpr bool by_columns = kRegisterBanks && S::kRows * S::kColumns >= 128;
  float w[2][S::kRows], x[2][S::kColumns];
  load_fours<S::kRows, 16>(weights, w[0]);
  load_fours<S::kColumns, 32>(inputs, x[0]);
#pragma unroll
  for (int k = 0; k < kStageDepth; ++k) {
    if (k + 1 < kStageDepth) {
      load_fours<S::kRows, 16>(weights + (k + 1) * S::kTileRows, w[(k + 1) % 2]);
      load_fours<S::kColumns, 32>(inputs + (k + 1) * S::kTilePositions, x[(k + 1) % 2]);
    }
#pragma unroll
    for (int n = 0; n < S::kRows * S::kColumns; ++n) {
      const int i = by_columns ? n % S::kRows : n / S::kColumns;
      const int j = by_columns ? n / S::kRows : n % S::kColumns;
      sum[i][j] = fused_multiply_add(w[k % 2][i], x[k % 2][j], sum[i][j]);
    }
  }
}

template <class S>
__device__ __forceinline__ void set_zero(float (&sum)[S::kRows][S::kColumns]) {
#pragma unroll
  for (int i = 0; i < S::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < S::kColumns; ++j) sum[i][j] = 0.0f;
  }
}

// The thread's part of partial sums number `slot` of the scratch memory: kQuads fours, kThreads apart.
template <class S>
__device__ __forceinline__ float4* scratch_of(const ConvArguments& a, int64_t slot) {
  return reinterpret_cast<float4*>(a.scratch) + slot * S::kQuads * S::kThreads + threadIdx.x;
}

template <class S>
__device__ __forceinline__ void store_scratch(float4* scratch, const float (&sum)[S::kRows][S::kColumns]) {
#pragma unroll
  for (int q = 0; q < S::kQuads; ++q) {
    const float* s = &sum[q / (S::kColumns / 4)][q % (S::kColumns / 4) * 4];
    scratch[q * S::kThreads] = make_float4(s[0], s[1], s[2], s[3]);
  }
}

// sum = sum + what is in the scratch memory, or only the latter.
template <class S, bool add>
__device__ __forceinline__ void load_scratch(const float4* scratch, float (&sum)[S::kRows][S::kColumns]) {
#pragma unroll
  for (int q = 0; q < S::kQuads; ++q) {
    float* s = &sum[q / (S::kColumns / 4)][q % (S::kColumns / 4) * 4];
    const float4 other = scratch[q * S::kThreads];
    s[0] = add ? s[0] + other.x : other.x;
    s[1] = add ? s[1] + other.y : other.y;
    s[2] = add ? s[2] + other.z : other.z;
    s[3] = add ? s[3] + other.w : other.w;
  }
}

// Takes the sums of tile number `number` through the epilogue to y. They are laid out in shared memory first,
// some rows at a time, so that a warp's outputs are neighbours in y.
template <class S>
__device__ __forceinline__ void store_tile(const ConvArguments& a, int number, float* shared,
                                           const float (&sum)[S::kRows][S::kColumns]) {
  constexpr int kStep = S::kThreads / S::kTilePositions;
  keep(number);  // found again, so that nothing but the number was kept in registers through the sums
  const OutputTile tile = find_tile(a, number, S::kTileRows);
  const int column = threadIdx.x % S::kTilePositions;
  const Position p = find_position(a, tile.positions, column);
  const int64_t image = int64_t{p.image} * a.groups * a.rows * a.out_area;
  const int64_t at = image + int64_t{p.y} * a.out_width + p.x;
  const int warp_row = threadIdx.x / 32 / S::kWarpsAcross * 16;
  const int row_in_warp = first_row<S>() % (4 * S::kRows);
#pragma unroll
  for (int part = 0; part < S::kRows / 4; ++part) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < S::kColumns; j += 4) {
        const float* s = &sum[part * 4 + i][j];
        float* to = shared + (warp_row + row_in_warp + i) * S::kTilePositions + first_column<S>() + j * 8;
        *reinterpret_cast<float4*>(to) = make_float4(s[0], s[1], s[2], s[3]);
      }
    }
    __syncthreads();
    if (column >= tile.positions.count) continue;
    for (int r = threadIdx.x / S::kTilePositions; r < S::kStoredRows; r += kStep) {
      const int row = tile.row + r / 16 * (4 * S::kRows) + part * 16 + r % 16;
      if (row >= a.rows) continue;
      const int64_t channel = int64_t{tile.group} * a.rows + row, target = at + channel * a.out_area;
      a.y[target] = finish(a.epilogue, channel, target, shared[r * S::kTilePositions + column]);
    }
  }
}

}  // namespace device
