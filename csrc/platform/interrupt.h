// Ctrl-C during long work outside of the interpreter.
#pragma once

#include <chrono>

// Call it between the steps of something long, outside of parallel regions: raises what Python's handlers of
// signals raise (KeyboardInterrupt), at most every tenth of a second, since asking takes the interpreter's
// lock.
class Interruptible {
 public:
  void check() {
    const auto now = std::chrono::steady_clock::now();
    if (now - asked_ < std::chrono::milliseconds(100)) return;
    asked_ = now;
    raise_if_interrupted();
  }

 private:
  static void raise_if_interrupted();

  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
};
