#include "platform/bind.h"

#include <pybind11/stl.h>

#include "crf/mean_field_ops.h"

namespace py = pybind11;

BINDINGS {
  const py::call_guard<py::gil_scoped_release> no_gil;

  py::class_<Lattice>(m, "Lattice")
      .def(py::init([](Address features, std::size_t points, int dims, bool wide_keys, int threads) {
             return new Lattice(at<const float>(features), points, dims, wide_keys, threads);
           }),
           no_gil)
      .def_property_readonly("points", &Lattice::points)
      .def_property_readonly("dims", &Lattice::dims)
      .def_property_readonly("vertices", &Lattice::vertices)
      .def_property_readonly("wide", &Lattice::wide)
      .def_property_readonly("bytes", &Lattice::bytes);
  m.attr("MAX_LATTICE_DIMS") = kMaxDims;
  m.def(
      "lattice_filter",
      [](const Lattice& lattice, Address q, std::size_t q_stride, std::size_t labels, Address pre,
         bool adjoint, Address out, int threads) {
        lattice_filter(lattice, at<const float>(q), q_stride, labels, at<const float>(pre), adjoint, at(out),
                       threads);
      },
      no_gil);
  m.def(
      "lattice_filter_double",
      [](const Lattice& lattice, Address q, std::size_t labels, Address pre, bool adjoint, Address out,
         int threads) {
        lattice_filter_double(lattice, at<const double>(q), labels, at<const double>(pre), adjoint,
                              at<double>(out), threads);
      },
      no_gil);
  py::class_<PairwiseKernel>(m, "PairwiseKernel")
      .def(py::init([](const Lattice& lattice, Address pre, Address scale, Address label_weights,
                       Address compatibility) {
             return PairwiseKernel{&lattice, at<const float>(pre), at<const float>(scale),
                                   at<const float>(label_weights), at<const float>(compatibility)};
           }),
           py::keep_alive<1, 2>());
  BIND(m, mean_field_start);
  BIND(m, best_labels);
  m.def(
      "mean_field_iterate",
      [](const std::vector<PairwiseKernel>& kernels, Address unary, Address q, std::size_t points,
         std::size_t labels, int iterations, bool use_true_exp, int threads) {
        return mean_field_iterate(kernels, at<const float>(unary), at(q), points, labels, iterations,
                                  use_true_exp, threads);
      },
      no_gil);
  m.def(
      "mean_field",
      [](const std::vector<PairwiseKernel>& kernels, Address unary, Address q, std::size_t points,
         std::size_t labels, int iterations, bool use_true_exp, int threads) {
        return mean_field(kernels, at<const float>(unary), at(q), points, labels, iterations, use_true_exp,
                          threads);
      },
      no_gil);
}
