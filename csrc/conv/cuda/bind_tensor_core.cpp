#include <pybind11/stl.h>

#include <algorithm>

#include "conv/cuda/tensor_core.h"
#include "platform/bind.h"

static TensorCoreLaunch launch_of(const std::vector<TensorCoreBranch>& branches) {
  if (branches.size() > kMaxBranches) throw std::invalid_argument("too many branches");
  TensorCoreLaunch launch{};
  std::copy(branches.begin(), branches.end(), launch.branch);
  return launch;
}

BINDINGS {
  m.def(
      "tensor_core_conv",
      [](const std::vector<TensorCoreBranch>& branches, std::uintptr_t table, int items, int regions_at,
         int taps_at, int queues_at, int queues, TensorCoreType type, int shape, const Stream& stream) {
        TensorCoreLaunch launch = launch_of(branches);
        launch.table = reinterpret_cast<const int32_t*>(table);
        launch.items = items;
        launch.regions_at = regions_at;
        launch.taps_at = taps_at;
        launch.queues_at = queues_at;
        launch.queues = queues;
        device::tensor_core_conv(launch, type, shape, stream);
      },
      pybind11::call_guard<pybind11::gil_scoped_release>());
  BIND_DEVICE(m, has_tensor_core_clusters);
  m.def(
      "tensor_core_sum_taps",
      [](const std::vector<TensorCoreBranch>& branches, TensorCoreType type, const Stream& stream) {
        device::tensor_core_sum_taps(launch_of(branches), type, static_cast<int>(branches.size()), stream);
      },
      pybind11::call_guard<pybind11::gil_scoped_release>());
}
