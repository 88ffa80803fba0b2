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

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define __asan_unpoison_memory_region(address, bytes)
#endif

namespace emulator {

Extent thread_index, block_index, block_size, grid_size;

namespace {

constexpr int kWarp = 32;
constexpr int kMaxThreads = 1024;  // of a block
constexpr int kMaxCluster = kMaxClusterThreads / kMaxThreads;
constexpr int kBarriers = 16;
constexpr std::size_t kMaxShared = 227 * 1024;
constexpr std::size_t kGuard = 256;  // bytes behind the dynamic shared memory that must stay untouched
constexpr std::size_t kStack = 256 * 1024, kPage = 4096;
constexpr int kPatience = 1 << 22;       // polls in a row with nothing else happening
constexpr unsigned char kPoison = 0xff;  // makes floats NaN

struct Barrier {
  unsigned wanted = 0, sum = 0, result = 0;
  std::vector<int> waiting;

  void clear() {
    waiting.clear();
    wanted = sum = 0;
  }
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
  unsigned size() const { return tail_ - head_; }
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

struct alignas(1024) Shared {
  unsigned char bytes[kMaxShared + kGuard];
};
Shared shared_memory[kMaxCluster];

class Scheduler {
 public:
  static Scheduler& instance() {
    static Scheduler scheduler;
    return scheduler;
  }

  void start(unsigned cluster, std::size_t shared_bytes, void (*body)(void*), void* context) {
    cluster_ = static_cast<int>(cluster);
    of_block_ = static_cast<int>(block_size.x * block_size.y * block_size.z);
    count_ = cluster_ * of_block_;
    shared_bytes_ = shared_bytes;
    body_ = body;
    context_ = context;
    warps_.resize((count_ + kWarp - 1) / kWarp);
    places_.clear();
    for (unsigned rank = 0; rank < cluster; ++rank) {
      for (unsigned z = 0; z < block_size.z; ++z) {
        for (unsigned y = 0; y < block_size.y; ++y) {
          for (unsigned x = 0; x < block_size.x; ++x) places_.push_back({{x, y, z}, rank});
        }
      }
    }
  }

  // The blocks of the cluster that begins at `first`.
  void run_cluster(unsigned first) {
    first_block_ = first;
    for (int rank = 0; rank < cluster_; ++rank) {
      std::memset(shared_memory[rank].bytes, kPoison, shared_bytes_ + kGuard);
      ready_[rank].clear();
      idle_[rank] = 0;
      fresh_of_[rank] = done_of_[rank] = 0;
      for (Barrier& barrier : barriers_[rank]) barrier.clear();
    }
    whole_cluster_.clear();
    turn_ = static_cast<int>(first) / cluster_ % cluster_;
    for (Warp& warp : warps_) {
      for (Meeting& meeting : warp.meetings) meeting.mask = meeting.arrived = 0;
    }
    done_ = polls_ = 0;
    error_ = nullptr;
    free_.clear();
    for (int i = 0; i < static_cast<int>(fibers_.size()); ++i) free_.push_back(i);
    go_on(&main_stack_);
    if (error_) std::rethrow_exception(error_);
    for (int rank = 0; rank < cluster_; ++rank) {
      for (std::size_t i = shared_bytes_; i < shared_bytes_ + kGuard; ++i) {
        if (shared_memory[rank].bytes[i] != kPoison) fail("dynamic shared memory written past its end");
      }
    }
  }

  int current() const { return current_; }
  int lane() const { return current_ % of_block_ % kWarp; }
  unsigned rank() const { return places_[current_].rank; }

  unsigned char* shared_of(unsigned rank) const {
    if (rank >= static_cast<unsigned>(cluster_)) fail("no block " + std::to_string(rank) + " in the cluster");
    if (done_of_[rank] == of_block_) {
      fail("block " + std::to_string(rank) + " of the cluster has ended, and its shared memory with it");
    }
    return shared_memory[rank].bytes;
  }

  unsigned wait(int id, unsigned wanted, unsigned value) {
    if (id < 0 || id >= kBarriers) fail("barrier " + std::to_string(id));
    return wait(barriers_[rank()][id], wanted ? wanted : static_cast<unsigned>(of_block_), value);
  }
  void wait_for_cluster() { wait(whole_cluster_, static_cast<unsigned>(count_), 0); }

  unsigned wait(Barrier& barrier, unsigned wanted, unsigned value) {
    if (barrier.waiting.empty()) {
      barrier.wanted = wanted;
      barrier.sum = 0;
    }
    if (barrier.wanted != wanted) fail("a barrier is given different numbers of threads");
    barrier.sum += value;
    if (barrier.waiting.size() + 1 == wanted) {
      barrier.result = barrier.sum;
      progress();
      // The last one in goes on first: the order of the threads turns round at each barrier, so that what
      // depends on it shows.
      for (std::size_t i = barrier.waiting.size(); i-- > 0;) make_ready(barrier.waiting[i]);
      barrier.waiting.clear();
    } else {
      barrier.waiting.push_back(current_);
      leave();
    }
    return barrier.result;
  }

  void yield() {
    if (++polls_ > kPatience) fail("threads poll for what nobody does");
    ++idle_[rank()];
    if (!find_turn()) return;
    make_ready(current_);
    leave(true);  // pollers could keep each other busy for ever; so those that have not begun go first
  }

  void progress() {
    polls_ = 0;
    for (unsigned& polls : idle_) polls = 0;
  }

  std::uint64_t exchange(Exchange kind, std::uint32_t mask, std::uint64_t value, int source) {
    Warp& warp = warps_[current_ / kWarp];
    const int lane = this->lane();
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
    progress();
    evaluate(warp, kind, mask);
    const int base = current_ - lane;
    for (int i = kWarp; i-- > 0;) {
      if (i != lane && mask >> i & 1) make_ready(base + i);
    }
    return warp.result[lane];
  }

 private:
  struct Fiber {
    unsigned char* memory;
    void* stack;
  };
  struct Place {
    Extent thread;
    unsigned rank;
  };

  // The fibers' addresses are held while threads wait.
  Scheduler() { fibers_.reserve(kMaxClusterThreads); }

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
    thread_index = places_[thread].thread;
    block_index.x = first_block_ + places_[thread].rank;
  }

  void make_ready(int thread) { ready_[places_[thread].rank].push(thread); }

  bool has_work(int rank) const { return ready_[rank].size() > 0 || fresh_of_[rank] < of_block_; }

  // Sets whose turn it is: a block goes on until none of its threads can, or all have polled in vain; then
  // the other one does. False if nobody can.
  bool find_turn() {
    const bool in_vain = fresh_of_[turn_] == of_block_ && idle_[turn_] > ready_[turn_].size();
    if (has_work(turn_) && !(in_vain && cluster_ > 1)) return true;
    const int other = (turn_ + 1) % cluster_;
    if (has_work(other)) {
      turn_ = other;
      idle_[other] = 0;
    }
    return has_work(turn_);
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
    if (!find_turn()) return false;
    Queue& ready = ready_[turn_];
    if (ready.size() > 0 && !(fresh_first && fresh_of_[turn_] < of_block_)) {
      const int thread = ready.pop();
      emulator_switch(save, fibers_[fiber_of_[thread]].stack);
      return true;
    }
    if (free_.empty()) add_fiber();
    running_ = free_.back();
    free_.pop_back();
    Fiber& fiber = fibers_[running_];
    // A thread that ends does not return, and leaves what it has poisoned.
    __asan_unpoison_memory_region(fiber.memory + kPage, kStack - kPage);
    fiber.stack = fresh_stack(fiber.memory + kStack, entry);
    emulator_switch(save, fiber.stack);
    return true;
  }

  [[noreturn]] void stuck() {
    std::string where;
    const auto tell = [&](const std::string& name, const Barrier& barrier) {
      if (barrier.waiting.empty()) return;
      where += "; " + name + " reached by " + std::to_string(barrier.waiting.size()) + " of " +
               std::to_string(barrier.wanted) + " threads";
    };
    for (int rank = 0; rank < cluster_; ++rank) {
      for (int id = 0; id < kBarriers; ++id) tell("barrier " + std::to_string(id), barriers_[rank][id]);
    }
    tell("the cluster's barrier", whole_cluster_);
    fail(std::to_string(count_ - done_) + " threads wait for ever" +
         (where.empty() ? "; not all lanes of a mask have come" : where));
  }

  [[noreturn]] void run_fiber() {
    try {
      do {
        set_current(turn_ * of_block_ + fresh_of_[turn_]++);
        body_(context_);
        ++done_;
        ++done_of_[rank()];
        progress();
        // Those that may go on first: fewer stacks are in use.
      } while (find_turn() && ready_[turn_].size() == 0);
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

  int cluster_ = 1, of_block_ = 0, count_ = 0;  // blocks, threads of each, threads
  int current_ = 0, done_ = 0, running_ = 0, polls_ = 0, turn_ = 0;
  int fresh_of_[kMaxCluster] = {}, done_of_[kMaxCluster] = {};  // threads of each that have begun, ended
  unsigned idle_[kMaxCluster] = {};                             // polls since something happened
  unsigned first_block_ = 0;
  std::size_t shared_bytes_ = 0;
  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
  void* main_stack_ = nullptr;
  std::exception_ptr error_;
  Queue ready_[kMaxCluster];
  std::vector<int> free_;
  std::vector<Fiber> fibers_;
  std::vector<Place> places_;
  std::vector<Warp> warps_;
  Barrier barriers_[kMaxCluster][kBarriers], whole_cluster_;
  int fiber_of_[kMaxClusterThreads] = {};
};

void check_sizes(std::size_t shared, unsigned cluster) {
  const auto size = [](const Extent& e) { return std::uint64_t{e.x} * e.y * e.z; };
  if (size(block_size) < 1 || size(block_size) > kMaxThreads || block_size.z > 64) fail("size of the block");
  if (size(grid_size) < 1 || grid_size.x > 0x7fffffff || grid_size.y > 65535 || grid_size.z > 65535) {
    fail("size of the grid");
  }
  if (cluster < 1 || cluster > kMaxCluster) fail("size of the cluster");
  if (grid_size.x % cluster) fail("a grid that is no whole number of clusters");
  if (shared > kMaxShared) fail("more dynamic shared memory than a GPU has");
}

}  // namespace

void run_grid(Extent grid, Extent block, std::size_t dynamic_shared_bytes, void (*body)(void*), void* context,
              unsigned cluster) {
  static std::mutex one_at_a_time;  // __shared__ arrays are static
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  grid_size = grid;
  block_size = block;
  block_index = {0, 0, 0};
  check_sizes(dynamic_shared_bytes, cluster);
  Scheduler& scheduler = Scheduler::instance();
  scheduler.start(cluster, dynamic_shared_bytes, body, context);
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; x += cluster) {
        block_index = {x, y, z};
        scheduler.run_cluster(x);
      }
    }
  }
}

int lane() { return Scheduler::instance().lane(); }
int thread_of_cluster() { return Scheduler::instance().current(); }
void* dynamic_shared() { return shared_memory[Scheduler::instance().rank()].bytes; }
unsigned cluster_rank() { return Scheduler::instance().rank(); }
void* dynamic_shared_of(unsigned rank) { return Scheduler::instance().shared_of(rank); }
void cluster_barrier() { Scheduler::instance().wait_for_cluster(); }
unsigned barrier(int id, unsigned count, unsigned value) {
  return Scheduler::instance().wait(id, count, value);
}
void yield() { Scheduler::instance().yield(); }
void progress() { Scheduler::instance().progress(); }
std::uint64_t exchange(Exchange kind, std::uint32_t mask, std::uint64_t value, int source) {
  return Scheduler::instance().exchange(kind, mask, value, source);
}

}  // namespace emulator
