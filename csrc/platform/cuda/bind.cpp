#include "platform/bind.h"

#include "platform/cuda/stream.h"

BINDINGS {
  // Local: both modules may be loaded at once.
  pybind11::class_<Stream>(m, "Stream", pybind11::module_local())
      .def(pybind11::init([](int device, std::uintptr_t handle) {
        return Stream{device, reinterpret_cast<cudaStream_t>(handle)};
      }));
  m.attr("TARGETS") = DEVICE_TARGETS;
}
