// A native module: _C with the CPU's ops, _cuda with nvcc's kernels, _cuda_emulated with those the host runs.
// Addresses, sizes and threads (or a stream) in; no libtorch, so one build serves every torch.
#include "platform/bind.h"

PYBIND11_MODULE(MODULE, m) {
  for (const AddBindings add : all_bindings()) add(m);
}
