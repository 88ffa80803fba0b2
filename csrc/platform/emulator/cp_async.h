// cp.async on the host. A copy is made no earlier than its thread waits for it, so that what is used too
// early is still the emulator's NaN.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

namespace emulator {

struct Copy {
  void* to;
  const void* from;
  int size;
  bool zero;
};

// A GPU wants both ends of a copy at multiples of its size, and those of a copy of zeros, too.
inline void check_alignment(const void* to, const void* from, int size) {
  if ((reinterpret_cast<std::uintptr_t>(to) | reinterpret_cast<std::uintptr_t>(from)) % size == 0) return;
  throw std::runtime_error("emulated cp.async: not " + std::to_string(size) + "-byte aligned");
}

// Of one thread: the groups under way, the last one still open.
struct CopyQueue {
  std::deque<std::vector<Copy>> groups = std::deque<std::vector<Copy>>(1);

  void wait(std::size_t pending) {
    while (groups.size() > pending + 1) {
      for (const Copy& c : groups.front()) {
        if (c.zero) {
          std::memset(c.to, 0, c.size);
        } else {
          std::memcpy(c.to, c.from, c.size);
        }
      }
      groups.pop_front();
    }
  }
};

// The running thread's. A block's threads leave nothing under way, so the next block may use the same ones.
inline CopyQueue& copy_queue() {
  static std::vector<CopyQueue> queues(kMaxClusterThreads);
  return queues[thread_of_cluster()];
}

}  // namespace emulator

namespace emulator {

inline void copy_async(void* to, const void* from, int size, bool zero) {
  check_alignment(to, from, size);
  copy_queue().groups.back().push_back({to, from, size, zero});
}

}  // namespace emulator

inline void copy_async_4(float* shared, const float* from, bool zero) {
  emulator::copy_async(shared, from, 4, zero);
}
inline void copy_async_8(void* shared, const void* from) { emulator::copy_async(shared, from, 8, false); }
inline void copy_async_16(void* shared, const void* from, bool zero) {
  emulator::copy_async(shared, from, 16, zero);
}

inline void commit_copies() { emulator::copy_queue().groups.emplace_back(); }

template <int pending>
void wait_for_copies() {
  emulator::copy_queue().wait(pending);
}

template <class T>
void keep(T&) {}
