#include "platform/bind.h"

#include <pybind11/stl.h>

#include "conv/bind_epilogue.h"
#include "conv/bind_geometry.h"
#include "conv/cuda/atrous_conv.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  bind_geometry(py::class_<ConvGeometry>(m, "ConvGeometry", py::module_local()), false);
  bind_epilogue(m);
  py::class_<device::ConvTilePlan>(m, "ConvTilePlan", py::module_local())
      .def(py::init(&device::plan_conv_tiles), no_gil)
      .def_readonly("shape", &device::ConvTilePlan::shape)
      .def_readonly("tiles", &device::ConvTilePlan::tiles_in_all)
      .def_readonly("whole", &device::ConvTilePlan::whole)
      .def_readonly("blocks", &device::ConvTilePlan::blocks)
      .def_readonly("items", &device::ConvTilePlan::items)
      .def_readonly("scratch", &device::ConvTilePlan::scratch)
      .def_property_readonly("table_bytes", &device::ConvTilePlan::table_bytes)
      .def_property_readonly("table_sizes",
                             [](const device::ConvTilePlan& p) {
                               return std::vector<std::size_t>{p.stages.size(), p.regions.size(),
                                                               p.tiles.size(), p.ends.size()};
                             })
      .def(
          "write_tables", [](const device::ConvTilePlan& p, Address to) { p.write_tables(at<void>(to)); },
          no_gil);
  m.def("conv_tile_shapes", [] {
    std::vector<std::tuple<int, int, int>> shapes;
    for (const device::TileShape& s : device::kTileShapes)
      shapes.emplace_back(s.rows, s.positions, s.threads);
    return shapes;
  });
  m.def("processors", [](Stream stream) { return device::processors(stream); });
  m.def("packed_weights_size", device::packed_weights_size);
  m.def(
      "pack_weights",
      [](const ConvGeometry& g, Address w, Address p, Stream stream) {
        device::pack_weights(g, at(w), at(p), stream);
      },
      no_gil);
  m.def(
      "unpack_weights",
      [](const ConvGeometry& g, Address p, Address w, Stream stream) {
        device::unpack_weights(g, at(p), at(w), stream);
      },
      no_gil);
  m.def(
      "atrous_conv",
      [](const device::ConvTilePlan& plan, Address tables, Address x, Address packed,
         const std::vector<EpilogueStep>& steps, Address y, Address scratch, Stream stream) {
        device::atrous_conv(plan, at<void>(tables), at(x), at(packed), steps, at(y), at(scratch), stream);
      },
      no_gil);
  m.def(
      "depthwise_conv",
      [](const ConvGeometry& g, Address x, Address weights, const std::vector<EpilogueStep>& steps, Address y,
         Stream stream) { device::depthwise_conv(g, at(x), at(weights), steps, at(y), stream); },
      no_gil);
}
