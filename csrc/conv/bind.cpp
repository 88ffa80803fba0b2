#include "platform/bind.h"

#include <pybind11/stl.h>

#include "conv/atrous_conv.h"
#include "conv/bind_epilogue.h"
#include "conv/bind_geometry.h"
#include "conv/channel_sums.h"
#include "conv/conv_gradient.h"
#include "conv/conv_weights.h"
#include "conv/simd/conv_tile.h"
#include "conv/zero_inputs.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  bind_geometry(py::class_<ConvGeometry>(m, "ConvGeometry"), true);
  m.def("packed_weights_size", packed_weights_size);
  m.def("planned_multiply_adds", planned_multiply_adds);
  m.def(
      "tap_intervals",
      [](int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation,
         int64_t extent, int64_t worth, int64_t shortest) {
        std::vector<std::tuple<int64_t, int64_t, std::vector<int>>> intervals;
        for (auto& i : tap_intervals(in, out, kernel, stride, pad, dilation, extent, worth, shortest)) {
          intervals.emplace_back(i.begin, i.end, i.taps);
        }
        return intervals;
      },
      no_gil);
  m.def(
      "pack_weights",
      [](const ConvGeometry& g, Address w, Address p, int threads) {
        pack_weights(g, at(w), at(p), threads);
      },
      no_gil);
  m.def(
      "unpack_weights",
      [](const ConvGeometry& g, Address p, Address w, int threads) {
        unpack_weights(g, at(p), at(w), threads);
      },
      no_gil);
  m.def(
      "read_packed_weights",
      [](const ConvGeometry& g, int file, int64_t offset, Address p, int threads) {
        return read_packed_weights(g, file, offset, at(p), threads);
      },
      no_gil);
  bind_epilogue(m);
  m.def(
      "atrous_conv",
      [](const ConvGeometry& g, Address x, Address packed, const std::vector<EpilogueStep>& steps, Address y,
         int threads) { atrous_conv(g, at(x), at(packed), steps, at(y), threads); },
      no_gil);
  py::enum_<ZeroInputs>(m, "ZeroInputs")
      .value("summed", ZeroInputs::summed)
      .value("left_out_of_tiles", ZeroInputs::left_out_of_tiles)
      .value("left_out_of_pairs", ZeroInputs::left_out_of_pairs);
  m.def(
      "choose_zero_inputs",
      [](const ConvGeometry& g, Address x, Address packed, int threads) {
        return choose_zero_inputs(g, SELECT_ISA(conv_kernels), at(x), at(packed), threads);
      },
      no_gil);
  m.def("gradient_weights_size", gradient_weights_size);
  m.def(
      "pack_gradient_weights",
      [](const ConvGeometry& g, Address w, Address p, int threads) {
        pack_gradient_weights(g, at(w), at(p), threads);
      },
      no_gil);
  m.def(
      "conv_data_gradient",
      [](const ConvGeometry& g, Address dy, Address packed, Address dx, int threads) {
        conv_data_gradient(g, at(dy), at(packed), at(dx), threads);
      },
      no_gil);
  m.def(
      "conv_weight_gradient",
      [](const ConvGeometry& g, Address x, Address dy, Address dw, int threads) {
        conv_weight_gradient(g, at(x), at(dy), at(dw), threads);
      },
      no_gil);
  BIND_PER_ISA(m, channel_sums);
}
