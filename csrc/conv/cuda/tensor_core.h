// Convolutions on tensor cores; see conv/tensor_core.h.
#pragma once

#include "conv/tensor_core.h"
#include "platform/cuda/stream.h"

namespace device {

// Runs all branches in one launch with tiles of kTensorCoreShapes[shape], those the launch's table was made
// for.
void tensor_core_conv(const TensorCoreLaunch& launch, TensorCoreType type, int shape, Stream stream);

// Whether there are kernels for kTensorCoreShapes of clusters; another build gives another answer.
bool has_tensor_core_clusters();

// Branches whose x holds, for every input position, the products with each tap's weights: float [batch,
// in_height, in_width, tap, padded channel]. Outputs add those of their taps; the table is not used.
void tensor_core_sum_taps(const TensorCoreLaunch& launch, TensorCoreType type, int branches, Stream stream);

// For one type, each in a file of its own.
void tensor_core_conv_bf16(const TensorCoreLaunch& launch, int shape, Stream stream);
void tensor_core_conv_fp16(const TensorCoreLaunch& launch, int shape, Stream stream);
void tensor_core_conv_tf32(const TensorCoreLaunch& launch, int shape, Stream stream);
void tensor_core_conv_fp32(const TensorCoreLaunch& launch, int shape, Stream stream);

}  // namespace device
