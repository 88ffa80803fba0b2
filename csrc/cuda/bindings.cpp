// The module of device ops: _cuda with nvcc's kernels, _cuda_emulated with those the host runs. Addresses,
// sizes and a stream in; no libtorch.
#include "bindings.h"

PYBIND11_MODULE(DEVICE_MODULE, m) {
  // Local: both modules may be loaded at once.
  pybind11::class_<Stream>(m, "Stream", pybind11::module_local())
      .def(pybind11::init([](int device, std::uintptr_t handle) {
        return Stream{device, reinterpret_cast<cudaStream_t>(handle)};
      }));
  m.attr("TARGETS") = DEVICE_TARGETS;
  for (const AddBindings add : all_bindings()) add(m);
}
