// Bindings only: addresses, sizes and thread counts in; no libtorch, so one build serves every torch.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "eltwise.h"
#include "isa.h"

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
}
