#include "platform/bind.h"

#include <pybind11/stl.h>

#include "pixelwise/elementwise.h"
#include "pixelwise/eltwise.h"
#include "pixelwise/interp.h"
#include "pixelwise/pooling.h"
#include "pixelwise/softmax.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  m.def(
      "eltwise",
      [](int operation, const std::vector<Address>& bottoms, const std::vector<float>& coefficients,
         Address top, int64_t size, int threads) {
        eltwise(EltwiseOperation(operation), reinterpret_cast<const float* const*>(bottoms.data()),
                coefficients.data(), int(bottoms.size()), at(top), size, threads);
      },
      no_gil);
  BIND_PER_ISA(m, relu);
  BIND_PER_ISA(m, exact_exp);
  BIND_PER_ISA(m, exact_log);
  BIND(m, c_tanh);
  BIND(m, c_pow);
  BIND_PER_ISA(m, batch_norm);
  BIND_PER_ISA(m, scale);
  BIND_PER_ISA(m, prelu);
  BIND_PER_ISA(m, max_pool);
  BIND_PER_ISA(m, average_pool);
  BIND_PER_ISA(m, interp);
  BIND_PER_ISA(m, softmax);
  BIND_PER_ISA(m, argmax);
  BIND(m, softmax_loss);
}
