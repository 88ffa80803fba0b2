#include <pybind11/stl.h>

#include <algorithm>

#include "bindings.h"
#include "tensor_core.h"

BINDINGS {
  m.def(
      "tensor_core_conv",
      [](const std::vector<TensorCoreBranch>& branches, std::uintptr_t table, int items, int regions_at,
         int taps_at, TensorCoreType type, int shape, const Stream& stream) {
        if (branches.size() > kMaxBranches) throw std::invalid_argument("too many branches");
        TensorCoreLaunch launch{{}, reinterpret_cast<const int32_t*>(table), items, regions_at, taps_at};
        std::copy(branches.begin(), branches.end(), launch.branch);
        device::tensor_core_conv(launch, type, shape, stream);
      },
      pybind11::call_guard<pybind11::gil_scoped_release>());
}
