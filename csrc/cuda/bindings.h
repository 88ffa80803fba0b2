// How device ops get into the module: a file bind_x.cpp holds BINDINGS { BIND_DEVICE(m, op); ... }, and being
// there is all it takes.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include "../bind.h"
#include "stream.h"

using AddBindings = void (*)(pybind11::module_&);

inline std::vector<AddBindings>& all_bindings() {
  static std::vector<AddBindings> all;
  return all;
}

struct BindingsOfAFile {
  explicit BindingsOfAFile(AddBindings add) { all_bindings().push_back(add); }
};

#define BINDINGS                                                    \
  static void add_bindings(pybind11::module_& m);                   \
  static const BindingsOfAFile bindings_of_this_file(add_bindings); \
  static void add_bindings(pybind11::module_& m)

// BIND_DEVICE(m, f) binds device::f.
#define BIND_DEVICE(m, name) bind(m, #name, &device::name)
