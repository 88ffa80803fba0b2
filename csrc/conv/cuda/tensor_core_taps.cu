// The second half of a convolution with few outputs, whose first half multiplied each input position with the
// weights of all taps: every output adds up what its taps gave, in order.
#include "conv/cuda/tensor_core.h"
#include "conv/cuda/tensor_core_epilogue.cuh"

namespace device {

namespace {

constexpr int kThreads = 256;

// launch.branch[i].x: float [batch, in_height, in_width, tap, padded channel]. A thread sums 8 channels.
template <TensorCoreType type>
KERNEL(kThreads, 1)
void sum_taps(const __grid_constant__ TensorCoreLaunch launch) {
  const TensorCoreBranch& conv = launch.branch[blockIdx.y];
  const int blocks = conv.padded_channels / 8;
  const int64_t number = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t position = number / blocks;
  const int channel = static_cast<int>(number % blocks) * 8;
  if (position >= static_cast<int64_t>(conv.batch) * conv.out_height * conv.out_width) return;
  const int64_t line = position / conv.out_width, image = line / conv.out_height;
  const int y = static_cast<int>(line % conv.out_height) * conv.stride_height - conv.pad_height;
  const int x = static_cast<int>(position % conv.out_width) * conv.stride_width - conv.pad_width;
  const int pitch = conv.kernel_height * conv.kernel_width * conv.padded_channels;

  float sums[2][8] = {};  // the epilogue takes two rows at a time, here there is one
  for (int ky = 0; ky < conv.kernel_height; ++ky) {
    const int row = y + ky * conv.dilation_height;
    if (row < 0 || row >= conv.in_height) continue;
    for (int kx = 0; kx < conv.kernel_width; ++kx) {
      const int column = x + kx * conv.dilation_width;
      if (column < 0 || column >= conv.in_width) continue;
      const int64_t pixel = (image * conv.in_height + row) * conv.in_width + column;
      const int tap = ky * conv.kernel_width + kx;
      float products[8];
      get_eight(static_cast<const float*>(conv.x) + pixel * pitch + tap * conv.padded_channels + channel,
                products, 8, true);
#pragma unroll
      for (int i = 0; i < 8; ++i) sums[0][i] += products[i];
    }
  }
  const int64_t index[2] = {position, -1};
  Epilogue<type, true>(conv, TensorCoreItem{}).store(sums, index, channel);
}

}  // namespace

bool has_tensor_core_clusters() { return kClusterWeights; }

void tensor_core_sum_taps(const TensorCoreLaunch& launch_of, TensorCoreType type, int branches,
                          Stream stream) {
  int64_t most = 0;
  for (int i = 0; i < branches; ++i) {
    const TensorCoreBranch& b = launch_of.branch[i];
    const int64_t positions = static_cast<int64_t>(b.batch) * b.out_height * b.out_width;
    most = positions * b.padded_channels / 8 > most ? positions * b.padded_channels / 8 : most;
  }
  if (most == 0) return;
  const dim3 grid(block_count(most, kThreads), branches);
  switch (type) {
    case TensorCoreType::kBf16:
      return launch(sum_taps<TensorCoreType::kBf16>, grid, kThreads, 0, stream, launch_of);
    case TensorCoreType::kFp16:
      return launch(sum_taps<TensorCoreType::kFp16>, grid, kThreads, 0, stream, launch_of);
    default:
      return launch(sum_taps<TensorCoreType::kTf32>, grid, kThreads, 0, stream, launch_of);
  }
}

}  // namespace device
