#include "conv/cuda/tensor_core.h"

namespace device {

void tensor_core_conv(const TensorCoreLaunch& launch, TensorCoreType type, int shape, Stream stream) {
  if (launch.items == 0) return;
  switch (type) {
    case TensorCoreType::kBf16:
      return tensor_core_conv_bf16(launch, shape, stream);
    case TensorCoreType::kFp16:
      return tensor_core_conv_fp16(launch, shape, stream);
    case TensorCoreType::kTf32:
      return tensor_core_conv_tf32(launch, shape, stream);
    case TensorCoreType::kFp32:
      return tensor_core_conv_fp32(launch, shape, stream);
  }
}

}  // namespace device
