#include <pybind11/stl.h>

#include <iterator>

#include "conv/bf16_conv.h"
#include "conv/bind_geometry.h"
#include "platform/bind.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  py::enum_<Bf16Way> ways(m, "Bf16Way");
  for (std::size_t i = 0; i < std::size(kBf16Ways); ++i) {
    ways.value(kBf16Ways[i], static_cast<Bf16Way>(i));
  }
  m.def("has_bf16_way", [](Bf16Way way) { return has(way); }, no_gil);
  m.def("bf16_weights_size", bf16_weights_size);
  m.def(
      "pack_bf16_weights",
      [](const ConvGeometry& g, Address w, Address p, int threads) {
        pack_bf16_weights(g, at(w), at(p), threads);
      },
      no_gil);
  m.def(
      "bf16_conv",
      [](const ConvGeometry& g, Bf16Way way, Address x, Address packed,
         const std::vector<EpilogueStep>& steps, Address y,
         int threads) { bf16_conv(g, way, at(x), at(packed), steps, at(y), threads); },
      no_gil);
}
