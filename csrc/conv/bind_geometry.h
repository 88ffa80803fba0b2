// How Python makes a ConvGeometry: by naming its fields, the same in every module.
#pragma once

#include <pybind11/stl.h>

#include <optional>

#include "conv/conv_plan.h"
#include "platform/bind.h"

// Other planes than those of whole images are for modules whose kernels heed them: others give planes =
// false.
inline void bind_geometry(pybind11::class_<ConvGeometry> geometry, bool planes) {
  namespace py = pybind11;
  using Planes = std::optional<int64_t>;
  const auto finish = [planes](ConvGeometry g, Planes in_plane, Planes out_plane) {
    if (!planes && (in_plane || out_plane)) throw std::invalid_argument("planes are those of whole images");
    g.in_plane = in_plane.value_or(g.in_height * g.in_width);
    g.out_plane = out_plane.value_or(g.out_height * g.out_width);
    return g;
  };
  geometry.def(
      py::init([=](int64_t batch, int64_t groups, int64_t in_channels, int64_t in_height, int64_t in_width,
                   int64_t out_channels, int64_t out_height, int64_t out_width, int64_t kernel_height,
                   int64_t kernel_width, int64_t stride_height, int64_t stride_width, int64_t pad_height,
                   int64_t pad_width, int64_t dilation_height, int64_t dilation_width, Planes in_plane,
                   Planes out_plane) {
        return finish({batch, groups, in_channels, in_height, in_width, out_channels, out_height, out_width,
                       kernel_height, kernel_width, stride_height, stride_width, pad_height, pad_width,
                       dilation_height, dilation_width, 0, 0},
                      in_plane, out_plane);
      }),
      py::kw_only(), py::arg("batch"), py::arg("groups"), py::arg("in_channels"), py::arg("in_height"),
      py::arg("in_width"), py::arg("out_channels"), py::arg("out_height"), py::arg("out_width"),
      py::arg("kernel_height"), py::arg("kernel_width"), py::arg("stride_height") = 1,
      py::arg("stride_width") = 1, py::arg("pad_height") = 0, py::arg("pad_width") = 0,
      py::arg("dilation_height") = 1, py::arg("dilation_width") = 1, py::arg("in_plane") = py::none(),
      py::arg("out_plane") = py::none());
  geometry.def_readonly("batch", &ConvGeometry::batch)
      .def_readonly("groups", &ConvGeometry::groups)
      .def_readonly("in_channels", &ConvGeometry::in_channels)
      .def_readonly("in_height", &ConvGeometry::in_height)
      .def_readonly("in_width", &ConvGeometry::in_width)
      .def_readonly("out_channels", &ConvGeometry::out_channels)
      .def_readonly("out_height", &ConvGeometry::out_height)
      .def_readonly("out_width", &ConvGeometry::out_width)
      .def_readonly("kernel_height", &ConvGeometry::kernel_height)
      .def_readonly("kernel_width", &ConvGeometry::kernel_width)
      .def_readonly("stride_height", &ConvGeometry::stride_height)
      .def_readonly("stride_width", &ConvGeometry::stride_width)
      .def_readonly("pad_height", &ConvGeometry::pad_height)
      .def_readonly("pad_width", &ConvGeometry::pad_width)
      .def_readonly("dilation_height", &ConvGeometry::dilation_height)
      .def_readonly("dilation_width", &ConvGeometry::dilation_width)
      .def_readonly("in_plane", &ConvGeometry::in_plane)
      .def_readonly("out_plane", &ConvGeometry::out_plane)
      .def_property_readonly("depthwise", &ConvGeometry::depthwise);
}
