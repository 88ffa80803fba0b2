#include <pybind11/pybind11.h>

#include "platform/interrupt.h"

void Interruptible::raise_if_interrupted() {
  const pybind11::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
}
