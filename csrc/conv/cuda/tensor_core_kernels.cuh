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
                Tile::kColumns == kTensorCoreShapes[shape].columns &&
                Tile::kCluster == kTensorCoreShapes[shape].cluster);
  static_assert(Tile::kBlocks * (Tile::kSharedBytes + 1024) <= 228 * 1024, "shared memory of an SM");
  static_assert(Tile::kBlocks == blocks_per_multiprocessor(Tile::kType, kTensorCoreShapes[shape]));
  if constexpr (Tile::kCluster > 1) {
    launch_clusters(tensor_core_wgmma<Tile>, Tile::kCluster, launch_of.queues * Tile::kCluster,
                    Tile::kThreads, Tile::kSharedBytes, stream, launch_of);
  } else {
    launch(tensor_core_wgmma<Tile>, launch_of.queues, Tile::kThreads, Tile::kSharedBytes, stream, launch_of);
  }
}

// The shapes of wgmma, those of lone blocks or of clusters.
template <TensorCoreType type, int cluster>
void launch_wgmma_of(const TensorCoreLaunch& launch_of, int shape, Stream stream) {
  constexpr bool split = type == TensorCoreType::kFp32;  // twice the weights in shared memory
  constexpr int first = cluster == 1 ? 3 : 9;
  switch (shape - first) {
    case 0:
      if constexpr (!split) {
        return launch_wgmma<first, WgmmaTile<type, 2, 256, 4, 1, cluster>>(launch_of, stream);
      }
      break;
    case 1:
      return launch_wgmma<first + 1, WgmmaTile<type, 2, 128, split ? 4 : 6, 1, cluster>>(launch_of, stream);
    case 2:
      return launch_wgmma<first + 2, WgmmaTile<type, 1, 128, split ? 5 : 4, split ? 1 : 2, cluster>>(
          launch_of, stream);
    case 3:
      return launch_wgmma<first + 3, WgmmaTile<type, 1, 64, split ? 4 : 6, 2, cluster>>(launch_of, stream);
    case 4:
      return launch_wgmma<first + 4, WgmmaTile<type, 1, 32, split ? 6 : 8, 2, cluster>>(launch_of, stream);
    case 5:
      return launch_wgmma<first + 5, WgmmaTile<type, 2, 64, 4, split ? 1 : 2, cluster>>(launch_of, stream);
  }
  throw std::invalid_argument("tensor_core_conv: no such tile shape");
}

template <TensorCoreType type>
void tensor_core_conv_of(const TensorCoreLaunch& launch_of, int shape, Stream stream) {
  constexpr bool split = type == TensorCoreType::kFp32;
  switch (shape) {
    case 0:
      return launch_mma<0, MmaTile<type, 2, 4, 64, 32, split ? 2 : 3>>(launch_of, stream);
    case 1:
      return launch_mma<1, MmaTile<type, 2, 2, 32, 32, 3>>(launch_of, stream);
    case 2:
      return launch_mma<2, MmaTile<type, 4, 1, 32, 32, 3>>(launch_of, stream);
  }
  if constexpr (kClusterWeights) {
    if (kTensorCoreShapes[shape].cluster > 1) return launch_wgmma_of<type, 2>(launch_of, shape, stream);
  }
  launch_wgmma_of<type, 1>(launch_of, shape, stream);
}

}  // namespace device
