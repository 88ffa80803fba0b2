// From a kernel's C++ signature to a Python function: pointers travel as integers, the GIL is released, and
// the copy for the active instruction set is picked at each call. A file bind.cpp (or bind_x.cpp) holds
// BINDINGS { BIND(m, op); ... }; being in the module is all it takes.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "platform/isa.h"

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

using Address = std::uintptr_t;

template <typename T = float>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

template <typename T>
using Wire = std::conditional_t<std::is_pointer_v<T>, std::uintptr_t, T>;

template <typename T>
T from_wire(Wire<T> value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(value);
  } else {
    return value;
  }
}

template <typename Result, typename... Args>
void bind(pybind11::module_& m, const char* name, Result (*kernel)(Args...)) {
  m.def(
      name, [=](Wire<Args>... args) { return kernel(from_wire<Args>(args)...); },
      pybind11::call_guard<pybind11::gil_scoped_release>());
}

template <typename Result, typename... Args, typename... Others>
void bind_per_isa(pybind11::module_& m, const char* name, Result (*portable)(Args...), Others... others) {
  m.def(
      name,
      [=](Wire<Args>... args) {
        Result (*const kernels[])(Args...) = {portable, others...};
        const int copy = active_isa() == Isa::neon ? 1 : static_cast<int>(active_isa());
        return kernels[copy](from_wire<Args>(args)...);
      },
      pybind11::call_guard<pybind11::gil_scoped_release>());
}

// BIND(m, f) binds ::f, BIND_DEVICE(m, f) device::f, BIND_PER_ISA(m, f) f's copies from simd/.
#define BIND(m, name) bind(m, #name, &name)
#define BIND_DEVICE(m, name) bind(m, #name, &device::name)
#ifdef HAVE_X86
#define BIND_PER_ISA(m, name) bind_per_isa(m, #name, &portable::name, &avx2::name, &avx512::name)
#elif defined(HAVE_NEON)
#define BIND_PER_ISA(m, name) bind_per_isa(m, #name, &portable::name, &neon::name)
#else
#define BIND_PER_ISA(m, name) bind_per_isa(m, #name, &portable::name)
#endif
