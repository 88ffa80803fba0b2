// Bindings only: addresses, sizes and thread counts in; no libtorch, so one build serves every torch.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "isa.h"

namespace py = pybind11;

PYBIND11_MODULE(_C, m) {
  m.def("isa", [] { return isa_name(active_isa()); });
}
