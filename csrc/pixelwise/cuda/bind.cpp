#include "platform/bind.h"

#include <pybind11/stl.h>

#include "pixelwise/cuda/elementwise.h"
#include "pixelwise/cuda/eltwise.h"
#include "pixelwise/cuda/interp.h"
#include "pixelwise/cuda/labels.h"
#include "pixelwise/cuda/pooling.h"

BINDINGS {
  m.def("eltwise", &device::eltwise, pybind11::call_guard<pybind11::gil_scoped_release>());
  BIND_DEVICE(m, relu);
  BIND_DEVICE(m, exact_exp);
  BIND_DEVICE(m, exact_log);
  BIND_DEVICE(m, batch_norm);
  BIND_DEVICE(m, scale);
  BIND_DEVICE(m, prelu);
  BIND_DEVICE(m, max_pool);
  BIND_DEVICE(m, average_pool);
  BIND_DEVICE(m, interp);
  BIND_DEVICE(m, interp_argmax);
  BIND_DEVICE(m, softmax);
  BIND_DEVICE(m, argmax);
}
