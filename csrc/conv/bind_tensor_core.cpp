#include <pybind11/stl.h>

#include "conv/tensor_core.h"
#include "platform/bind.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  py::enum_<TensorCoreType>(m, "TensorCoreType")
      .value("bf16", TensorCoreType::kBf16)
      .value("fp16", TensorCoreType::kFp16)
      .value("tf32", TensorCoreType::kTf32)
      .value("fp32", TensorCoreType::kFp32);
  py::enum_<TensorCoreStep::Kind>(m, "TensorCoreStep")
      .value("affine", TensorCoreStep::kAffine)
      .value("sum", TensorCoreStep::kSum)
      .value("relu", TensorCoreStep::kRelu)
      .value("clip", TensorCoreStep::kClip);
  py::class_<TensorCoreBranch>(m, "TensorCoreBranch")
      .def(py::init(&make_branch))
      .def_readonly("group_units", &TensorCoreBranch::group_units)
      .def_readonly("period", &TensorCoreBranch::period)
      .def_readonly("chunks", &TensorCoreBranch::chunks)
      .def_readonly("padded_channels", &TensorCoreBranch::padded_channels)
      .def("set_operands",
           [](TensorCoreBranch& b, Address x, Address weights, Address bias, Address y, bool float_output) {
             b.x = at<void>(x), b.weights = at<void>(weights), b.bias = at(bias), b.y = at<void>(y);
             b.float_output = float_output;
           })
      .def("add_step", [](TensorCoreBranch& b, TensorCoreStep::Kind kind, float first, float second,
                          Address a, Address c) {
        if (b.steps == kMaxTensorCoreSteps) throw std::invalid_argument("too many steps");
        b.step[b.steps++] = {kind, first, second, at<void>(a), at<void>(c)};
      });
  py::class_<TensorCoreTiles>(m, "TensorCoreTiles")
      .def(py::init([](const std::vector<ConvGeometry>& convolutions, TensorCoreType type, int shape,
                       int multiprocessors) {
             return make_tensor_core_tiles(convolutions, type, kTensorCoreShapes[shape], multiprocessors);
           }),
           no_gil)
      .def_readonly("items", &TensorCoreTiles::items)
      .def_readonly("regions_at", &TensorCoreTiles::regions_at)
      .def_readonly("taps_at", &TensorCoreTiles::taps_at)
      .def_readonly("queues_at", &TensorCoreTiles::queues_at)
      .def_readonly("queues", &TensorCoreTiles::queues)
      .def_readonly("longest", &TensorCoreTiles::longest)
      .def_property_readonly("size", [](const TensorCoreTiles& t) { return t.table.size(); })
      .def("copy_to", [](const TensorCoreTiles& t, Address to) {
        std::copy(t.table.begin(), t.table.end(), at<int>(to));
      });
  m.def("tensor_core_shapes", [](TensorCoreType type, int64_t group_channels) {
    std::vector<std::tuple<int, int, int, bool, int>> shapes;  // number, rows, columns, for wgmma, cluster
    for (int i = 0; i < kTensorCoreShapeCount; ++i) {
      const TensorCoreShape& shape = kTensorCoreShapes[i];
      if (has_kernel(type, shape, group_channels))
        shapes.emplace_back(i, shape.rows, shape.columns, shape.wgmma, shape.cluster);
    }
    return shapes;
  });
  m.attr("MAX_TENSOR_CORE_BRANCHES") = kMaxBranches;
  m.attr("MAX_TENSOR_CORE_STEPS") = kMaxTensorCoreSteps;
}
