// A ring that the two blocks of a cluster fill for both, as the wgmma kernels do
// (conv/cuda/tensor_core_wgmma.cuh), right or with a mistake that must be found.
#include <stdexcept>

#include "platform/bind.h"
#include "platform/cuda/ptx_cluster.cuh"

namespace {

enum class Mistake : int {
  kNone,
  kOnlyOwnIsTold,        // the other block waits for ever
  kOnlyOwnIsWaitedFor,   // stages are filled again too early
  kOneArrivalTooFew,     // the barrier is made for fewer than come
  kOneArrivalTooMany,    // ... for more
  kOtherPhase,           // full stages are taken for those of the round before
  kHalfExpected,         // the other block's half is not waited for
  kHalfCopied,           // ... never comes
  kNoWaitAtFirst,        // barriers are used before they are made
  kNoWaitAtLast,         // a block ends while the other tells it of a stage
  kWaitsOnAnotherBlock,  // which no instruction can
};

constexpr int kStages = 2, kNumbers = 64, kBytes = kNumbers * 4, kBarriersAt = kStages * kBytes;

// Each block's sums over `chunks` of 64 numbers; warp 0 copies, warps 1 and 2 add.
KERNEL(96, 1) void sum_chunks(const int* from, int* to, int chunks, Mistake mistake) {
  DYNAMIC_SHARED(unsigned char, shared);
  const auto is = [&](Mistake other) { return mistake == other; };
  const ptx::SharedAddress memory = ptx::shared_address(shared);
  const auto full = [&](int stage) { return memory + kBarriersAt + 16 * stage; };
  const auto empty = [&](int stage) { return full(stage) + 8; };
  const int rank = static_cast<int>(ptx::cluster_rank()), lane = threadIdx.x % 32;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      const int arrivals = is(Mistake::kOnlyOwnIsWaitedFor) ? 2 : 4;
      ptx::barrier_init(full(i), 1);
      ptx::barrier_init(empty(i),
                        arrivals - is(Mistake::kOneArrivalTooFew) + is(Mistake::kOneArrivalTooMany));
    }
    ptx::barrier_init_fence();
  }
  if (is(Mistake::kNoWaitAtFirst)) {
    __syncthreads();
  } else {
    ptx::cluster_barrier();
  }
  int sum = 0;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int stage = chunk % kStages;
    const uint32_t parity = chunk / kStages % 2;
    const ptx::SharedAddress at = memory + stage * kBytes;
    if (threadIdx.x == 0) {
      const ptx::SharedAddress waited = empty(stage);
      ptx::barrier_wait(is(Mistake::kWaitsOnAnotherBlock) ? ptx::in_block(waited, 1 - rank) : waited,
                        parity ^ 1);
      ptx::barrier_arrive_expect(full(stage), is(Mistake::kHalfExpected) ? kBytes / 2 : kBytes);
      const int share = rank * kBytes / 2;
      ptx::copy_bulk_to_all(at + share, reinterpret_cast<const char*>(from + chunk * kNumbers) + share,
                            kBytes / 2, full(stage), is(Mistake::kHalfCopied) ? 1 << rank : 3);
    } else if (threadIdx.x >= 32) {
      ptx::barrier_wait(full(stage), is(Mistake::kOtherPhase) ? parity ^ 1 : parity);
      sum += reinterpret_cast<const int*>(shared + stage * kBytes)[threadIdx.x - 32];
      __syncwarp();
      if (is(Mistake::kOnlyOwnIsTold) || is(Mistake::kOnlyOwnIsWaitedFor)) {
        if (lane == 0) ptx::barrier_arrive(empty(stage));
      } else if (lane < 2) {
        ptx::barrier_arrive_in(empty(stage), lane);
      }
    }
  }
  if (threadIdx.x >= 32) to[blockIdx.x * kNumbers + threadIdx.x - 32] = sum;
  if (!is(Mistake::kNoWaitAtLast)) ptx::cluster_barrier();
}

void check_cluster(const int* from, int* to, int blocks, int chunks, int mistake) {
  launch_clusters(sum_chunks, 2, blocks, 96, kBarriersAt + 16 * kStages, Stream{}, from, to, chunks,
                  static_cast<Mistake>(mistake));
}

}  // namespace

BINDINGS { BIND(m, check_cluster); }
