// Kernels that test the emulator itself: words whose result is known, and mistakes that must be found.
#include "platform/bind.h"
#include "platform/cuda/ptx.cuh"

namespace {

// to[block] = the sum of the block's numbers, through shuffles, shared memory and barriers.
KERNEL(256, 1) void block_sum(const int* from, int* to) {
  __shared__ int of_warp[8];
  int sum = from[blockIdx.x * blockDim.x + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) sum += __shfl_down_sync(0xffffffffu, sum, d);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    to[blockIdx.x] = 0;
    for (unsigned i = 0; i < blockDim.x / 32; ++i) to[blockIdx.x] += of_warp[i];
  }
}

// Halves of a warp take different ways through exchanges of their own; every vote must be right.
KERNEL(64, 1) void votes(int* wrong) {
  const int lane = threadIdx.x % 32;
  const unsigned half = lane < 16 ? 0xffffu : 0xffff0000u;
  int bad = 0;
  for (int round = 0; round < (lane < 16 ? 3 : 7); ++round) {
    bad += __ballot_sync(half, lane % 2) != (0xaaaaaaaau & half);
    bad += __shfl_xor_sync(half, lane, 1) != (lane ^ 1);
    bad += __match_any_sync(half, lane / 4) != 0xfu << lane / 4 * 4;
    bad += __shfl_up_sync(half, lane, 1, 16) != (lane % 16 ? lane - 1 : lane);
  }
  __syncwarp();
  bad += __any_sync(0xffffffffu, lane == 5) != 1;
  bad += __syncthreads_count(lane < 3) != 6;
  atomicAdd(wrong, bad);
}

// Rotates through dynamic shared memory, many barriers in a row.
KERNEL(1024, 1) void rotate(int* numbers, int rounds) {
  DYNAMIC_SHARED(int, shared);
  const unsigned t = threadIdx.x;
  shared[t] = numbers[t];
  for (int i = 0; i < rounds; ++i) {
    __syncthreads();
    const int next = shared[(t + 1) % blockDim.x];
    __syncthreads();
    shared[t] = next;
  }
  numbers[t] = shared[t];
}

KERNEL(64, 1) void half_a_barrier(int) {
  if (threadIdx.x < 40) __syncthreads();
}

KERNEL(64, 1) void half_a_warp(int) {
  if (threadIdx.x % 32 < 20) __syncwarp();
}

KERNEL(64, 1) void past_the_end(int) {
  DYNAMIC_SHARED(int, shared);
  shared[threadIdx.x + 1] = 0;
}

KERNEL(64, 1) void endless(int) {
  for (;;) emulator::yield();
}

// Copies of 16 bytes that begin `from` and `to` bytes behind a multiple of 16.
KERNEL(32, 1) void copy_between(int from, int to) {
  DYNAMIC_SHARED(unsigned char, shared);
  alignas(16) static const unsigned char bytes[32] = {};
  copy_async_16(shared + to, bytes + from, to != 0);
  ptx::copy_async_16(ptx::shared_address(shared) + to, bytes + from, to != 0);
  commit_copies();
  wait_for_copies<0>();
}

KERNEL(64, 1) void foreign_lane(int) { __shfl_sync(0xffffu << threadIdx.x / 16 % 2 * 16, 0, 40); }

void check_block_sum(const int* from, int* to, int blocks, int threads) {
  launch(block_sum, blocks, threads, 0, Stream{}, from, to);
}
void check_votes(int* wrong) { launch(votes, 3, 64, 0, Stream{}, wrong); }
void check_rotate(int* numbers, int threads, int rounds) {
  launch(rotate, 1, threads, threads * sizeof(int), Stream{}, numbers, rounds);
}
void check_half_a_barrier() { launch(half_a_barrier, 1, 64, 0, Stream{}, 0); }
void check_half_a_warp() { launch(half_a_warp, 1, 64, 0, Stream{}, 0); }
void check_past_the_end() { launch(past_the_end, 1, 64, 256, Stream{}, 0); }
void check_endless() { launch(endless, 1, 64, 0, Stream{}, 0); }
void check_crooked_source() { launch(copy_between, 1, 32, 32, Stream{}, 8, 0); }
void check_crooked_target() { launch(copy_between, 1, 32, 32, Stream{}, 0, 4); }
void check_foreign_lane() { launch(foreign_lane, 1, 64, 0, Stream{}, 0); }
void check_block_too_large() { launch(half_a_warp, 1, 1025, 0, Stream{}, 0); }

}  // namespace

BINDINGS {
  BIND(m, check_block_sum);
  BIND(m, check_votes);
  BIND(m, check_rotate);
  BIND(m, check_half_a_barrier);
  BIND(m, check_half_a_warp);
  BIND(m, check_past_the_end);
  BIND(m, check_endless);
  BIND(m, check_crooked_source);
  BIND(m, check_crooked_target);
  BIND(m, check_foreign_lane);
  BIND(m, check_block_too_large);
}
