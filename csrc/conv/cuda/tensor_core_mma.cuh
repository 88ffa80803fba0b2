// The convolution with mma.sync, for every GPU from sm_80 on: all warps copy and multiply.
#pragma once

#include "conv/cuda/tensor_core_epilogue.cuh"

// A tile of warps_m x warps_n warps, each with warp_rows x warp_columns outputs; `stages` chunks of its input
// and weights in shared memory.
template <TensorCoreType type, int warps_m, int warps_n, int warp_rows, int warp_columns, int stages>
struct MmaTile {
  static constexpr TensorCoreType kType = type;
  static constexpr bool kAnyChannels = warps_n * warp_columns == kAnyChannelsColumns;
  static constexpr int kParts = Operand<type>::kParts, kStages = stages;
  static constexpr int kWarpsN = warps_n, kWarpRows = warp_rows, kWarpColumns = warp_columns;
  static constexpr int kRows = warps_m * warp_rows, kColumns = warps_n * warp_columns;
  static constexpr int kThreads = 32 * warps_m * warps_n;
  static constexpr int kInputBytes = kRows * kChunkBytes;
  static constexpr int kStageBytes = kInputBytes + kParts * kColumns * kChunkBytes;
  static constexpr int kRowsAt = stages * kStageBytes;
  static constexpr int kSharedBytes = kRowsAt + kRows * static_cast<int>(sizeof(InputRow));
  static_assert(warp_rows % 16 == 0 && warp_columns % 32 == 0);
};

template <TensorCoreType type>
__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (type == TensorCoreType::kBf16) {
    ptx::mma_bf16(d, a, b0, b1);
  } else if constexpr (type == TensorCoreType::kFp16) {
    ptx::mma_fp16(d, a, b0, b1);
  } else {
    ptx::mma_tf32(d, a, b0, b1);
  }
}

// The sums of one warp.
template <typename Tile>
class WarpSums {
 public:
  static constexpr TensorCoreType type = Tile::kType;
  static constexpr int kBlocksM = Tile::kWarpRows / 16, kBlocksN = Tile::kWarpColumns / 8;

  __device__ __forceinline__ WarpSums() {
    const int warp = threadIdx.x / 32;
    first_row_ = warp / Tile::kWarpsN * Tile::kWarpRows;
    first_column_ = warp % Tile::kWarpsN * Tile::kWarpColumns;
    clear(sum_);
  }

  // Adds the product of a chunk of input at `a` and of weights at `b`. kFp32: tensor cores cut sums off, so
  // they sum a chunk only, its small products first; chunks are added with the ordinary rounding.
  __device__ __forceinline__ void multiply(ptx::SharedAddress a, ptx::SharedAddress b) {
    if constexpr (type == TensorCoreType::kFp32) {
      clear(of_chunk_);
      multiply_all<Products::kSmall>(a, b);
      multiply_all<Products::kLarge>(a, b);
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
        for (int j = 0; j < kBlocksN; ++j) {
#pragma unroll
          for (int v = 0; v < 4; ++v) sum_[i][j][v] += of_chunk_[i][j][v];
        }
      }
    } else {
      multiply_all<Products::kLarge>(a, b);
    }
  }

  __device__ __forceinline__ void store(const TensorCoreLaunch& launch, const TensorCoreBranch& conv,
                                        const TensorCoreItem& item) {
    const Epilogue<type, Tile::kAnyChannels> epilogue(conv, item);
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
      const int row = first_row_ + 16 * i + lane / 4;
      const int64_t index[2] = {output_index(launch, conv, item, row),
                                output_index(launch, conv, item, row + 8)};
#pragma unroll
      for (int j = 0; j < kBlocksN; j += 4) {
        float v[2][8];
#pragma unroll
        for (int half = 0; half < 2; ++half) {
#pragma unroll
          for (int block = 0; block < 4; ++block) {
            v[half][2 * block] = sum_[i][j + block][2 * half];
            v[half][2 * block + 1] = sum_[i][j + block][2 * half + 1];
          }
          transpose_quad(v[half]);
        }
        epilogue.store(v, index, item.first_channel + first_column_ + 8 * (j + lane % 4));
      }
    }
  }

 private:
  using Sums = float[kBlocksM][kBlocksN][4];

  static __device__ __forceinline__ void clear(Sums& sums) {
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
      for (int j = 0; j < kBlocksN; ++j) {
#pragma unroll
        for (int v = 0; v < 4; ++v) sums[i][j][v] = 0.0f;
      }
    }
  }

  // Of kFp32: what is left of the input with the weights and of the weights with the input, or both as tf32.
  enum class Products { kSmall, kLarge };

  template <Products products>
  __device__ __forceinline__ void multiply_all(ptx::SharedAddress a, ptx::SharedAddress b) {
    constexpr int kLoaded = products == Products::kSmall ? 2 : 1;
    [[maybe_unused]] constexpr int kUnroll =
        type == TensorCoreType::kFp32 ? 1 : kChunkUnits / 2;  // what registers there are
    const int lane = threadIdx.x % 32;
    // Lanes 0-15 name rows 0-15 of the first unit, lanes 16-31 those of the second; for the weights lanes
    // 8-15 and 24-31 name the second unit, lanes from 16 on the next 8 columns.
    const int row = first_row_ + lane % 16, a_unit = lane / 16;
    const int column = first_column_ + lane / 16 * 8 + lane % 8, b_unit = lane / 8 % 2;
#pragma unroll kUnroll
    for (int k = 0; k < kChunkUnits; k += 2) {
      uint32_t weights[kLoaded][kBlocksN / 2][4];
#pragma unroll
      for (int part = 0; part < kLoaded; ++part) {
#pragma unroll
        for (int j = 0; j < kBlocksN / 2; ++j) {
          const int r = part * Tile::kColumns + column + 16 * j;
          ptx::load_matrices(weights[part][j], b + r * kChunkBytes + ((k + b_unit) ^ (r & 7)) * kUnitBytes);
        }
      }
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i) {
        const int r = row + 16 * i;
        uint32_t input[4];
        ptx::load_matrices(input, a + r * kChunkBytes + ((k + a_unit) ^ (r & 7)) * kUnitBytes);
        if constexpr (products == Products::kSmall) {
          uint32_t high[4], low[4];
          split_tf32(input, high, low);
          multiply_columns(of_chunk_[i], low, weights[0]);
          multiply_columns(of_chunk_[i], high, weights[1]);
        } else {
          if constexpr (kFloatInput<type>) {
#pragma unroll
            for (int v = 0; v < 4; ++v) input[v] = ptx::round_tf32(__uint_as_float(input[v]));
          }
          multiply_columns(type == TensorCoreType::kFp32 ? of_chunk_[i] : sum_[i], input, weights[0]);
        }
      }
    }
  }

  static __device__ __forceinline__ void multiply_columns(float (&sums)[kBlocksN][4],
                                                          const uint32_t (&input)[4],
                                                          const uint32_t (&weights)[kBlocksN / 2][4]) {
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j) {
      mma<type>(sums[j], input, weights[j / 2][j % 2 * 2], weights[j / 2][j % 2 * 2 + 1]);
    }
  }

  int first_row_, first_column_;
  Sums sum_;
  Sums of_chunk_;  // of kFp32
};

// Starts the copies of a tile's chunks, in order.
template <typename Tile>
class TileCopies {
 public:
  __device__ __forceinline__ TileCopies(const TensorCoreLaunch& launch, const TensorCoreBranch& conv,
                                        const TensorCoreItem& item, ptx::SharedAddress memory,
                                        const InputRow* rows)
      : memory_(memory), left_(item.chunks) {
    gather_.start(launch, conv, item, rows, threadIdx.x);
    weights_.start(launch, conv, item);
    weight_units_ = min(Tile::kColumns, conv.padded_channels - item.first_channel) * kChunkUnits;
  }

  __device__ __forceinline__ void next(const TensorCoreBranch& conv) {
    if (left_-- > 0) {
      gather_.load(conv, memory_ + stage_ * Tile::kStageBytes);
      const ptx::SharedAddress to = memory_ + stage_ * Tile::kStageBytes + Tile::kInputBytes;
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const char* from = weights_.rows(conv, part);
#pragma unroll
        for (int unit = threadIdx.x; unit < Tile::kColumns * kChunkUnits; unit += Tile::kThreads) {
          if (unit >= weight_units_) continue;
          ptx::copy_async_16(to + (part * Tile::kColumns * kChunkUnits + unit) * kUnitBytes,
                             from + unit * kUnitBytes, false);
        }
      }
      weights_.advance(conv);
    }
    commit_copies();
    stage_ = stage_ + 1 == Tile::kStages ? 0 : stage_ + 1;
  }

 private:
  static constexpr int kParts = Tile::kParts;

  InputGather<Tile::kRows, Tile::kThreads> gather_;
  WeightWalk weights_;
  ptx::SharedAddress memory_;
  int left_, weight_units_, stage_ = 0;
};

template <typename Tile>
KERNEL(Tile::kThreads, 1)
void tensor_core_mma(const __grid_constant__ TensorCoreLaunch launch) {
  DYNAMIC_SHARED(unsigned char, shared);
  auto* rows = reinterpret_cast<InputRow*>(shared + Tile::kRowsAt);
  const ptx::SharedAddress memory = ptx::shared_address(shared);

  const TensorCoreItem item = tile_item(launch, blockIdx.x);
  const TensorCoreBranch& conv = launch.branch[item.branch];
  for (int row = threadIdx.x; row < Tile::kRows; row += Tile::kThreads) {
    rows[row] = InputRow::of(conv, output_position(launch, conv, item, row), item.group);
  }
  __syncthreads();

  TileCopies<Tile> copies(launch, conv, item, memory, rows);
  WarpSums<Tile> sums;
#pragma unroll
  for (int i = 0; i + 1 < Tile::kStages; ++i) copies.next(conv);
  int stage = 0;
  for (int chunk = 0; chunk < item.chunks; ++chunk) {
    wait_for_copies<Tile::kStages - 2>();
    __syncthreads();
    copies.next(conv);
    const ptx::SharedAddress at = memory + stage * Tile::kStageBytes;
    sums.multiply(at, at + Tile::kInputBytes);
    stage = stage + 1 == Tile::kStages ? 0 : stage + 1;
  }
  wait_for_copies<0>();
  sums.store(launch, conv, item);
}
