#include "conv/cuda/tensor_core_kernels.cuh"

namespace device {

void tensor_core_conv_fp16(const TensorCoreLaunch& launch, int shape, Stream stream) {
  tensor_core_conv_of<TensorCoreType::kFp16>(launch, shape, stream);
}

}  // namespace device
