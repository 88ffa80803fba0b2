// cp.async on the host. A copy is made no earlier than its thread waits for it, so that what is used too
// early is still the emulator's NaN.
#pragma once

#include <cstring>
#include <deque>
#include <vector>

namespace emulator {

struct Copy {
  void* to;
  const void* from;
  int size;
  bool zero;
};

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

inline void copy_async_4(float* shared, const float* from, bool zero) {
  emulator::copy_queue().groups.back().push_back({shared, from, 4, zero});
}

inline void copy_async_8(void* shared, const void* from) {
  emulator::copy_queue().groups.back().push_back({shared, from, 8, false});
}

inline void copy_async_16(void* shared, const void* from, bool zero) {
  emulator::copy_queue().groups.back().push_back({shared, from, 16, zero});
}

inline void commit_copies() { emulator::copy_queue().groups.emplace_back(); }

template <int pending>
void wait_for_copies() {
  emulator::copy_queue().wait(pending);
}

template <class T>
void keep(T&) {}
