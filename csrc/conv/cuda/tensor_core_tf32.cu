#include "conv/cuda/tensor_core_kernels.cuh"

namespace device {

void tensor_core_conv_tf32(const TensorCoreLaunch& launch, int shape, Stream stream) {
  tensor_core_conv_of<TensorCoreType::kTf32>(launch, shape, stream);
}

}  // namespace device
