#include "conv/cuda/tensor_core_kernels.cuh"

namespace device {

void tensor_core_conv_fp32(const TensorCoreLaunch& launch, int shape, Stream stream) {
  tensor_core_conv_of<TensorCoreType::kFp32>(launch, shape, stream);
}

}  // namespace device
