// How Python makes the steps of an epilogue, the same in every module.
#pragma once

#include <pybind11/pybind11.h>

#include <iterator>

#include "conv/epilogue.h"
#include "platform/bind.h"

inline void bind_epilogue(pybind11::module_& m) {
  namespace py = pybind11;
  py::enum_<EpilogueStep::Kind> kinds(m, "EpilogueKind", py::module_local());
  for (std::size_t i = 0; i < std::size(kEpilogueNames); ++i) {
    kinds.value(kEpilogueNames[i], static_cast<EpilogueStep::Kind>(i));
  }
  py::class_<EpilogueStep>(m, "EpilogueStep", py::module_local())
      .def(py::init([](EpilogueStep::Kind kind, Address a, Address b, float first, float second, bool after) {
        return EpilogueStep{kind, at<const float>(a), at<const float>(b), first, second, after};
      }));
}
