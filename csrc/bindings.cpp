// Bindings only: addresses, sizes and thread counts in; no libtorch, so one build serves every torch.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bind.h"
#include "elementwise.h"
#include "eltwise.h"
#include "interp.h"
#include "isa.h"
#include "pooling.h"
#include "softmax.h"

namespace py = pybind11;

namespace {

using Address = std::uintptr_t;

template <typename T = float>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  const py::call_guard<py::gil_scoped_release> no_gil;

  m.def("isa", [] { return isa_name(active_isa()); });
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
