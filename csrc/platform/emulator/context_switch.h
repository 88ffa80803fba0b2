// A call that continues on another stack: saves the registers a call must keep, and the stack pointer.
#pragma once

#include <cstdint>

extern "C" void emulator_switch(void** save_stack, void* load_stack) __attribute__((visibility("hidden")));

// What to load for `entry`, which never returns, to start on the stack that ends at `top`.
inline void* fresh_stack(void* top, void (*entry)()) {
  auto** end = reinterpret_cast<void**>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15});
#if defined(__x86_64__)
  end[-2] = reinterpret_cast<void*>(entry);  // where `ret` goes; the stack is then as after a call
  for (int i = 3; i <= 8; ++i) end[-i] = nullptr;
  return end - 8;
#elif defined(__aarch64__)
  for (int i = 1; i <= 20; ++i) end[-i] = nullptr;
  end[-20 + 11] = reinterpret_cast<void*>(entry);  // x30
  return end - 20;
#else
#error "the emulator knows x86-64 and aarch64"
#endif
}
