#include "platform/bind.h"

#include <pybind11/stl.h>

#include "crf/cuda/mean_field.h"
#include "crf/lattice_point.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  m.attr("MAX_LATTICE_DIMS") = kMaxDeviceDims;
  m.attr("MAX_KERNELS") = device::kMaxKernels;
  BIND_DEVICE(m, embedding_bytes);
  m.def(
      "lattice_embed",
      [](Address features, Address image_starts, unsigned points, unsigned images, int dims, Address scratch,
         Address counts, Stream stream) {
        device::lattice_embed(at(features), at<const unsigned>(image_starts), points, images, dims,
                              at<void>(scratch), at<unsigned>(counts), stream);
      },
      no_gil);
  py::class_<device::Lattice>(m, "Lattice", py::module_local())
      .def(py::init([](unsigned points, unsigned vertices, int dims, Address storage) {
        return device::Lattice(points, vertices, dims, at<void>(storage));
      }))
      .def_static("bytes_of", &device::Lattice::bytes_of)
      .def_readonly("points", &device::Lattice::points)
      .def_readonly("dims", &device::Lattice::dims)
      .def_readonly("vertices", &device::Lattice::vertices);
  m.def(
      "lattice_connect",
      [](const device::Lattice& lattice, unsigned images, Address scratch, Stream stream) {
        device::lattice_connect(lattice, images, at<void>(scratch), stream);
      },
      no_gil);
  m.def(
      "image_features",
      [](Address image, int height, int width, int channels, const std::vector<float>& stds, Address planes,
         std::size_t plane, Stream stream) {
        device::image_features(at(image), height, width, channels, stds.data(), at<float>(planes), plane,
                               stream);
      },
      no_gil);
  BIND_DEVICE(m, filter_norms);
  BIND_DEVICE(m, filter_words);
  m.def(
      "lattice_filter",
      [](const device::Lattice& lattice, Address q, std::size_t q_stride, std::size_t labels, Address pre,
         bool adjoint, Address tables, Address out, Stream stream) {
        device::lattice_filter(lattice, at(q), q_stride, labels, at(pre), adjoint, at<float>(tables),
                               at<float>(out), stream);
      },
      no_gil);
  py::class_<device::PairwiseKernel>(m, "PairwiseKernel", py::module_local())
      .def(py::init([](const device::Lattice& lattice, Address pre, Address scale, Address label_weights,
                       Address compatibility, Address tables) {
             return device::PairwiseKernel{
                 {&lattice, at(pre), at<float>(tables)}, at(scale), at(label_weights), at(compatibility)};
           }),
           py::keep_alive<1, 2>());
  BIND_DEVICE(m, mean_field_start);
  BIND_DEVICE(m, best_labels);
  m.def(
      "mean_field_iterate",
      [](const std::vector<device::PairwiseKernel>& kernels, Address unary, Address q, std::size_t points,
         std::size_t labels, int iterations, bool use_true_exp, Address bad, Stream stream) {
        device::mean_field_iterate(kernels, at(unary), at<float>(q), points, labels, iterations, use_true_exp,
                                   at<unsigned long long>(bad), stream);
      },
      no_gil);
}
