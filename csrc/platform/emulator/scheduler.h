// Runs the threads of a block one at a time on the host, each on a stack of its own once it has to wait.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

constexpr int kMaxClusterThreads = 2048;

struct Extent {
  unsigned x = 1, y = 1, z = 1;
};

// Runs body(context) for every thread of every block, blocks in order. Throws std::runtime_error if sizes are
// beyond a GPU's, if a barrier or a warp's exchange is not reached by all it waits for, or if the dynamic
// shared memory is written past its end. The `cluster` blocks of a cluster (1 or 2, neighbours in x) run
// beside each other: one until it can do nothing more without the other, then that one. In every other
// cluster the second block begins. Their __shared__ arrays are one and the same: they may have dynamic shared
// memory only.
void run_grid(Extent grid, Extent block, std::size_t dynamic_shared_bytes, void (*body)(void*), void* context,
              unsigned cluster = 1);

// Of the running thread.
extern Extent thread_index, block_index, block_size, grid_size;
int lane();
int thread_of_cluster();  // its number, block by block
void* dynamic_shared();

// The running thread's block within its cluster, and the dynamic shared memory of another; throws if there is
// no such block, or if it has ended.
unsigned cluster_rank();
void* dynamic_shared_of(unsigned rank);
// Until all threads of the cluster are here.
void cluster_barrier();

// The barrier number `id` (__syncthreads: 0), which `count` threads must reach (0: all of the block).
// Returns the sum of what they brought.
unsigned barrier(int id = 0, unsigned count = 0, unsigned value = 0);

// Lets the others run; for threads that poll a condition. Throws if nothing but polling happens.
void yield();
// A condition that is polled has come true.
void progress();

// An exchange within a warp: every lane of `mask` brings a value and gets what `kind` says.
enum class Exchange {
  kSync,     // nothing
  kShuffle,  // the value of lane `source`
  kBallot,   // a bit for every lane of the mask whose value is not 0
  kMatch,    // a bit for every lane of the mask with the same value
  kSum,      // the sum of all
  kMin,      // the least, as unsigned
  kMax,
};
std::uint64_t exchange(Exchange kind, std::uint32_t mask, std::uint64_t value, int source = 0);

}  // namespace emulator
