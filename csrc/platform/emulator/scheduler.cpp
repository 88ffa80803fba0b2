// A fiber runs fresh threads one after the other on its stack. A thread that has to wait keeps the fiber, and
// the next free fiber goes on with the others: a kernel without barriers never leaves the first one.
#include "platform/emulator/scheduler.h"

#include <sys/mman.h>

#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform/emulator/context_switch.h"

namespace emulator {

Extent thread_index, block_index, block_size, grid_size;

namespace {

constexpr int kWarp = 32;
constexpr int kMaxThreads = 1024;
constexpr int kBarriers = 16;
constexpr std::size_t kMaxShared = 227 * 1024;
constexpr std::size_t kGuard = 256;  // bytes behind the dynamic shared memory that must stay untouched
constexpr std::size_t kStack = 256 * 1024, kPage = 4096;
constexpr int kPatience = 1 << 22;       // polls in a row with nothing else happening
constexpr unsigned char kPoison = 0xff;  // makes floats NaN

struct Barrier {
  unsigned wanted = 0, sum = 0, result = 0;
  std::vector<int> waiting;
};

// The lanes of one mask that have arrived; held at the mask's lowest lane.
struct Meeting {
  Exchange kind;
  std::uint32_t mask = 0, arrived = 0;
};

struct Warp {
  Meeting meetings[kWarp];
  std::uint64_t value[kWarp], result[kWarp];
  int source[kWarp];
};

// The threads that may go on, each in it once at most.
class Queue {
 public:
  bool empty() const { return head_ == tail_; }
  void push(int thread) { threads_[tail_++ % kMaxThreads] = thread; }
  int pop() { return threads_[head_++ % kMaxThreads]; }
  void clear() { head_ = tail_ = 0; }

 private:
  int threads_[kMaxThreads];
  unsigned head_ = 0, tail_ = 0;
};

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("emulated kernel, block (" + std::to_string(block_index.x) + ", " +
                           std::to_string(block_index.y) + ", " + std::to_string(block_index.z) +
                           "): " + what);
}

alignas(1024) unsigned char shared_memory[kMaxShared + kGuard];

class Scheduler {
 public:
  static Scheduler& instance() {
    static Scheduler scheduler;
    return scheduler;
  }

  void start(unsigned threads, std::size_t shared_bytes, void (*body)(void*), void* context) {
    count_ = static_cast<int>(threads);
    shared_bytes_ = shared_bytes;
    body_ = body;
    context_ = context;
    warps_.resize((threads + kWarp - 1) / kWarp);
    indices_.clear();
    for (unsigned z = 0; z < block_size.z; ++z) {
      for (unsigned y = 0; y < block_size.y; ++y) {
        for (unsigned x = 0; x < block_size.x; ++x) indices_.push_back({x, y, z});
      }
    }
  }

  void run_block() {
    std::memset(shared_memory, kPoison, shared_bytes_ + kGuard);
    for (Barrier& barrier : barriers_) {
      barrier.waiting.clear();
      barrier.wanted = barrier.sum = 0;
    }
    for (Warp& warp : warps_) {
      for (Meeting& meeting : warp.meetings) meeting.mask = meeting.arrived = 0;
    }
    fresh_ = done_ = polls_ = 0;
    ready_.clear();
    error_ = nullptr;
    free_.clear();
    for (int i = 0; i < static_cast<int>(fibers_.size()); ++i) free_.push_back(i);
    go_on(&main_stack_);
    if (error_) std::rethrow_exception(error_);
    for (std::size_t i = 0; i < kGuard; ++i) {
      if (shared_memory[shared_bytes_ + i] != kPoison) fail("dynamic shared memory written past its end");
    }
  }

  int current() const { return current_; }

  unsigned wait(int id, unsigned wanted, unsigned value) {
    if (id < 0 || id >= kBarriers) fail("barrier " + std::to_string(id));
    Barrier& barrier = barriers_[id];
    if (wanted == 0) wanted = static_cast<unsigned>(count_);
    if (barrier.waiting.empty()) {
      barrier.wanted = wanted;
      barrier.sum = 0;
    }
    if (barrier.wanted != wanted) fail("a barrier is given different numbers of threads");
    barrier.sum += value;
    if (barrier.waiting.size() + 1 == wanted) {
      barrier.result = barrier.sum;
      polls_ = 0;
      // The last one in goes on first: the order of the threads turns round at each barrier, so that what
      // depends on it shows.
      for (std::size_t i = barrier.waiting.size(); i-- > 0;) ready_.push(barrier.waiting[i]);
      barrier.waiting.clear();
    } else {
      barrier.waiting.push_back(current_);
      leave();
    }
    return barrier.result;
  }

  void yield() {
    if (++polls_ > kPatience) fail("threads poll for what nobody does");
    if (ready_.empty() && fresh_ == count_) return;
    // Pollers could keep each other busy for ever; so those that have not begun go first.
    const bool fresh_first = fresh_ < count_;
    ready_.push(current_);
    leave(fresh_first);
  }

  std::uint64_t exchange(Exchange kind, std::uint32_t mask, std::uint64_t value, int source) {
    Warp& warp = warps_[current_ / kWarp];
    const int lane = current_ % kWarp;
    if (!(mask >> lane & 1)) fail("a lane is not in the mask it gives");
    const int first = __builtin_ctz(mask);
    Meeting& meeting = warp.meetings[first];
    if (meeting.arrived == 0) {
      meeting.kind = kind;
      meeting.mask = mask;
    }
    if (meeting.kind != kind || meeting.mask != mask) fail("lanes of a warp meet with different masks");
    warp.value[lane] = value;
    warp.source[lane] = source;
    meeting.arrived |= 1u << lane;
    if (meeting.arrived != mask) {
      leave();
      return warp.result[lane];
    }
    meeting.arrived = 0;
    polls_ = 0;
    evaluate(warp, kind, mask);
    const int base = current_ - lane;
    for (int i = kWarp; i-- > 0;) {
      if (i != lane && mask >> i & 1) ready_.push(base + i);
    }
    return warp.result[lane];
  }

 private:
  struct Fiber {
    unsigned char* memory;
    void* stack;
  };

  Scheduler() { fibers_.reserve(kMaxThreads); }  // their addresses are held while threads wait

  static void entry() { instance().run_fiber(); }

  static void evaluate(Warp& warp, Exchange kind, std::uint32_t mask) {
    std::uint64_t all = 0;
    for (int i = 0, seen = 0; i < kWarp; ++i) {
      if (!(mask >> i & 1)) continue;
      const std::uint64_t value = warp.value[i];
      if (kind == Exchange::kBallot) all |= static_cast<std::uint64_t>(value != 0) << i;
      if (kind == Exchange::kSum) all += value;
      if (kind == Exchange::kMin) all = seen && all < value ? all : value;
      if (kind == Exchange::kMax) all = seen && all > value ? all : value;
      seen = 1;
    }
    for (int i = 0; i < kWarp; ++i) {
      if (!(mask >> i & 1)) continue;
      if (kind == Exchange::kShuffle) {
        if (!(mask >> warp.source[i] & 1)) fail("a shuffle reads from a lane that takes no part");
        warp.result[i] = warp.value[warp.source[i]];
      } else if (kind == Exchange::kMatch) {
        warp.result[i] = 0;
        for (int j = 0; j < kWarp; ++j) {
          const bool same = mask >> j & 1 && warp.value[j] == warp.value[i];
          warp.result[i] |= static_cast<std::uint64_t>(same) << j;
        }
      } else {
        warp.result[i] = all;
      }
    }
  }

  void set_current(int thread) {
    current_ = thread;
    thread_index = indices_[thread];
  }

  // Gives the processor to another thread; returns when this one is ready again and its turn has come.
  void leave(bool fresh_first = false) {
    const int self = current_;
    const int fiber = running_;
    fiber_of_[self] = fiber;
    if (!go_on(&fibers_[fiber].stack, fresh_first)) stuck();
    running_ = fiber;
    set_current(self);
  }

  // Switches to a ready thread, or to a fiber that starts fresh ones; false if there is neither.
  bool go_on(void** save, bool fresh_first = false) {
    if (!fresh_first && !ready_.empty()) {
      const int thread = ready_.pop();
      emulator_switch(save, fibers_[fiber_of_[thread]].stack);
      return true;
    }
    if (fresh_ == count_) return false;
    if (free_.empty()) add_fiber();
    running_ = free_.back();
    free_.pop_back();
    Fiber& fiber = fibers_[running_];
    fiber.stack = fresh_stack(fiber.memory + kStack, entry);
    emulator_switch(save, fiber.stack);
    return true;
  }

  [[noreturn]] void stuck() {
    std::string where;
    for (int id = 0; id < kBarriers; ++id) {
      const Barrier& barrier = barriers_[id];
      if (barrier.waiting.empty()) continue;
      where += "; barrier " + std::to_string(id) + " reached by " + std::to_string(barrier.waiting.size()) +
               " of " + std::to_string(barrier.wanted) + " threads";
    }
    fail(std::to_string(count_ - done_) + " threads wait for ever" +
         (where.empty() ? "; not all lanes of a mask have come" : where));
  }

  [[noreturn]] void run_fiber() {
    try {
      while (fresh_ < count_) {
        set_current(fresh_++);
        body_(context_);
        ++done_;
        polls_ = 0;
        // Those that may go on first: fewer stacks are in use.
        if (!ready_.empty()) break;
      }
      if (done_ < count_) {
        free_.push_back(running_);
        void* dead;
        if (!go_on(&dead)) stuck();
      }
    } catch (...) {
      error_ = std::current_exception();
    }
    void* dead;
    emulator_switch(&dead, main_stack_);
    __builtin_unreachable();
  }

  void add_fiber() {
    void* memory =
        mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for stacks");
    mprotect(memory, kPage, PROT_NONE);
    free_.push_back(static_cast<int>(fibers_.size()));
    fibers_.push_back({static_cast<unsigned char*>(memory), nullptr});
  }

  int count_ = 0, current_ = 0, fresh_ = 0, done_ = 0, running_ = 0, polls_ = 0;
  std::size_t shared_bytes_ = 0;
  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
  void* main_stack_ = nullptr;
  std::exception_ptr error_;
  Queue ready_;
  std::vector<int> free_;
  std::vector<Fiber> fibers_;
  std::vector<Extent> indices_;
  std::vector<Warp> warps_;
  Barrier barriers_[kBarriers];
  int fiber_of_[kMaxThreads] = {};
};

void check_sizes(std::size_t shared) {
  const auto size = [](const Extent& e) { return std::uint64_t{e.x} * e.y * e.z; };
  if (size(block_size) < 1 || size(block_size) > kMaxThreads || block_size.z > 64) fail("size of the block");
  if (size(grid_size) < 1 || grid_size.x > 0x7fffffff || grid_size.y > 65535 || grid_size.z > 65535) {
    fail("size of the grid");
  }
  if (shared > kMaxShared) fail("more dynamic shared memory than a GPU has");
}

}  // namespace

void run_grid(Extent grid, Extent block, std::size_t dynamic_shared_bytes, void (*body)(void*),
              void* context) {
  static std::mutex one_at_a_time;  // __shared__ arrays are static
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  grid_size = grid;
  block_size = block;
  block_index = {0, 0, 0};
  check_sizes(dynamic_shared_bytes);
  Scheduler& scheduler = Scheduler::instance();
  scheduler.start(block.x * block.y * block.z, dynamic_shared_bytes, body, context);
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        block_index = {x, y, z};
        scheduler.run_block();
      }
    }
  }
}

int lane() { return Scheduler::instance().current() % kWarp; }
void* dynamic_shared() { return shared_memory; }
unsigned barrier(int id, unsigned count, unsigned value) {
  return Scheduler::instance().wait(id, count, value);
}
void yield() { Scheduler::instance().yield(); }
std::uint64_t exchange(Exchange kind, std::uint32_t mask, std::uint64_t value, int source) {
  return Scheduler::instance().exchange(kind, mask, value, source);
}

}  // namespace emulator
