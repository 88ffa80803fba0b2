#include <pybind11/stl.h>

#include "bindings.h"
#include "eltwise.h"

BINDINGS { m.def("eltwise", &device::eltwise, pybind11::call_guard<pybind11::gil_scoped_release>()); }
