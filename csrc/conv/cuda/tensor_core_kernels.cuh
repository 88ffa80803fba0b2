// The kernels of one type for all tile shapes.
#pragma once

#include "conv/cuda/tensor_core.h"
#include "conv/cuda/tensor_core_mma.cuh"
#include "conv/cuda/tensor_core_wgmma.cuh"

namespace device {

template <int shape, typename Tile>
void launch_mma(const TensorCoreLaunch& launch_of, Stream stream) {
  static_assert(Tile::kRows == kTensorCoreShapes[shape].rows &&
                Tile::kColumns == kTensorCoreShapes[shape].columns);
  launch(tensor_core_mma<Tile>, launch_of.items, Tile::kThreads, Tile::kSharedBytes, stream, launch_of);
}

template <int shape, typename Tile>
void launch_wgmma(const TensorCoreLaunch& launch_of, Stream stream) {
  static_assert(Tile::kRows == kTensorCoreShapes[shape].rows &&
                Tile::kColumns == kTensorCoreShapes[shape].columns);
  static_assert(Tile::kBlocks * (Tile::kSharedBytes + 1024) <= 228 * 1024, "shared memory of an SM");
  static_assert(Tile::kBlocks == blocks_per_multiprocessor(Tile::kType, kTensorCoreShapes[shape]));
  launch(tensor_core_wgmma<Tile>, launch_of.queues, Tile::kThreads, Tile::kSharedBytes, stream, launch_of);
}

template <TensorCoreType type>
void tensor_core_conv_of(const TensorCoreLaunch& launch_of, int shape, Stream stream) {
  constexpr bool split = type == TensorCoreType::kFp32;  // twice the weights in shared memory
  switch (shape) {
    case 0:
      return launch_mma<0, MmaTile<type, 2, 4, 64, 32, split ? 2 : 3>>(launch_of, stream);
    case 1:
      return launch_mma<1, MmaTile<type, 2, 2, 32, 32, 3>>(launch_of, stream);
    case 2:
      return launch_mma<2, MmaTile<type, 4, 1, 32, 32, 3>>(launch_of, stream);
    case 3:
      if constexpr (!split) return launch_wgmma<3, WgmmaTile<type, 2, 256, 4, 1>>(launch_of, stream);
      break;
    case 4:
      return launch_wgmma<4, WgmmaTile<type, 2, 128, split ? 4 : 6, 1>>(launch_of, stream);
    case 5:
      return launch_wgmma<5, WgmmaTile<type, 1, 128, split ? 5 : 4, split ? 1 : 2>>(launch_of, stream);
    case 6:
      return launch_wgmma<6, WgmmaTile<type, 1, 64, split ? 4 : 6, 2>>(launch_of, stream);
    case 7:
      return launch_wgmma<7, WgmmaTile<type, 1, 32, split ? 6 : 8, 2>>(launch_of, stream);
    case 8:
      return launch_wgmma<8, WgmmaTile<type, 2, 64, 4, split ? 1 : 2>>(launch_of, stream);
  }
  throw std::invalid_argument("tensor_core_conv: no such tile shape");
}

}  // namespace device
