// The convolution with wgmma (sm_90a): one warpgroup fills a ring of stages in shared memory, the others
// multiply. A block takes item after item of its queue, so that a tile's first copies run under the stores
// of the one before. Two blocks may make a cluster: they walk the same taps for neighbouring rows, and each
// copies half of a chunk's weights to both.
#pragma once

#include "conv/cuda/ptx_wgmma.cuh"
#include "conv/cuda/tensor_core_epilogue.cuh"
#include "platform/cuda/ptx_cluster.cuh"

// `groups` warpgroups that multiply, each 64 rows by all columns.
template <TensorCoreType type, int groups, int columns, int stages, int blocks_per_sm, int cluster = 1>
struct WgmmaTile {
  static constexpr TensorCoreType kType = type;
  static constexpr bool kAnyChannels = columns == kAnyChannelsColumns;
  static constexpr int kParts = Operand<type>::kParts, kStages = stages, kBlocks = blocks_per_sm;
  static constexpr int kCluster = cluster;
  static constexpr int kGroups = groups, kRows = 64 * groups, kColumns = columns;
  static constexpr int kThreads = 128 * (1 + groups);
  static constexpr int kInputBytes = kRows * kChunkBytes, kWeightBytes = columns * kChunkBytes;
  static constexpr int kStageBytes = kInputBytes + kParts * kWeightBytes;
  static constexpr int kBarriersAt = stages * kStageBytes;
  static constexpr int kRowsAt = kBarriersAt + 2 * stages * 8;
  // Rows twice: those of an item are written while the last thread may still read the one before.
  static constexpr int kSharedBytes = kRowsAt + 2 * kRows * static_cast<int>(sizeof(InputRow));
  // A block starts with kRegisters for each thread; the copying warpgroup returns some, which the others
  // take. More than were returned would never come.
  static constexpr int kRegisters = 65536 / (blocks_per_sm * kThreads) / 8 * 8;
  static constexpr int kCopyRegisters = blocks_per_sm == 1 ? 88 : groups == 1 ? 72 : 64;
  static constexpr int kMultiplyRegisters =
      groups == 1 ? (blocks_per_sm == 1 ? 232 : 184) : (blocks_per_sm == 1 ? 208 : 88);
  static_assert(128 * (kCopyRegisters + groups * kMultiplyRegisters) <= kThreads * kRegisters);
};

// The ring of stages: `full` when a stage's input and weights are there, `empty` when all have multiplied it,
// in the other block of the cluster, too: this one's weights go to both.
template <typename Tile>
class Ring {
 public:
  __device__ __forceinline__ explicit Ring(ptx::SharedAddress memory) : memory_(memory) {}

  __device__ __forceinline__ void make() const {
    for (int i = 0; i < Tile::kStages; ++i) {
      ptx::barrier_init(full(i), 128 + 1);  // every copying thread, and the one that starts the bulk copies
      ptx::barrier_init(empty(i), 4 * Tile::kGroups * Tile::kCluster);  // every multiplying warp
    }
    ptx::barrier_init_fence();
  }
  __device__ __forceinline__ ptx::SharedAddress full(int stage) const {
    return memory_ + Tile::kBarriersAt + 16 * stage;
  }
  __device__ __forceinline__ ptx::SharedAddress empty(int stage) const { return full(stage) + 8; }
  __device__ __forceinline__ ptx::SharedAddress input(int stage) const {
    return memory_ + stage * Tile::kStageBytes;
  }
  __device__ __forceinline__ ptx::SharedAddress weights(int stage) const {
    return input(stage) + Tile::kInputBytes;
  }

 private:
  ptx::SharedAddress memory_;
};

// A place in the ring, and how often one has come round.
template <int stages>
struct RingPlace {
  int stage = 0;
  uint32_t parity = 0;

  __device__ __forceinline__ void advance() {
    if (++stage == stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// The block's number in its cluster.
template <typename Tile>
__device__ __forceinline__ int rank_of_block() {
  return Tile::kCluster > 1 ? static_cast<int>(ptx::cluster_rank()) : 0;
}

// The items of this block's queue.
template <typename Tile>
__device__ __forceinline__ int queue_begin(const TensorCoreLaunch& launch) {
  return __ldg(launch.table + launch.queues_at + blockIdx.x / Tile::kCluster);
}
template <typename Tile>
__device__ __forceinline__ int queue_end(const TensorCoreLaunch& launch) {
  return __ldg(launch.table + launch.queues_at + blockIdx.x / Tile::kCluster + 1);
}
template <typename Tile>
__device__ __forceinline__ TensorCoreItem queue_item(const TensorCoreLaunch& launch, int number) {
  TensorCoreItem item = tile_item(launch, number);
  if constexpr (Tile::kCluster > 1) item.first_position += rank_of_block<Tile>() * Tile::kRows;
  return item;
}

// The copying warpgroup. A thread's own copies are seen by wgmma once it has waited for them and passed the
// fence; it does so kLag chunks later, so that that many are under way. The multipliers give a stage back
// when the next one is full: two stages must not wait for the copier to go on.
template <typename Tile>
class Copier {
 public:
  __device__ __forceinline__ Copier(const TensorCoreLaunch& launch, Ring<Tile> ring, InputRow* rows)
      : launch_(launch), ring_(ring), rows_(rows), thread_(threadIdx.x % 128) {}

  __device__ __forceinline__ void run() {
    for (int number = queue_begin<Tile>(launch_), turn = 0; number < queue_end<Tile>(launch_);
         ++number, turn ^= 1) {
      const TensorCoreItem item = queue_item<Tile>(launch_, number);
      const TensorCoreBranch& conv = launch_.branch[item.branch];
      InputRow* const rows = rows_ + turn * Tile::kRows;
      if (thread_ < Tile::kRows) {
        rows[thread_] = InputRow::of(conv, output_position(launch_, conv, item, thread_), item.group);
      }
      ptx::named_barrier<1, 128>();
      gather_.start(launch_, conv, item, rows, thread_);
      weights_.start(launch_, conv, item);
      const int columns = min(Tile::kColumns, conv.padded_channels - item.first_channel);
      for (int chunk = 0; chunk < item.chunks; ++chunk) copy_chunk(conv, columns * kChunkBytes);
    }
    wait_for_copies<0>();
    if constexpr (!kConsumerFence) {
      while (published_ < started_) publish();
    }
  }

 private:
  static constexpr int kLag = Tile::kStages - 2;

  __device__ __forceinline__ void copy_chunk(const TensorCoreBranch& conv, int weight_bytes) {
    // The first round finds the stages empty.
    ptx::barrier_wait(ring_.empty(place_.stage), place_.parity ^ 1);
    gather_.load(conv, ring_.input(place_.stage));
    if constexpr (kConsumerFence) {
      ptx::barrier_arrive_after_copies(ring_.full(place_.stage));
    } else {
      commit_copies();
    }
    if (thread_ == 0) {
      ptx::barrier_arrive_expect(ring_.full(place_.stage), Tile::kParts * weight_bytes);
#pragma unroll
      for (int part = 0; part < Tile::kParts; ++part) {
        copy_weights(ring_.weights(place_.stage) + part * Tile::kWeightBytes, weights_.rows(conv, part),
                     weight_bytes);
      }
      weights_.advance(conv);
    }
    place_.advance();
    if constexpr (!kConsumerFence) {
      if (++started_ > kLag) {
        wait_for_copies<kLag>();
        publish();
      }
    }
  }

  // This block's share of the weights, to all blocks of the cluster: each is told of all bytes.
  __device__ __forceinline__ void copy_weights(ptx::SharedAddress to, const char* from, int bytes) {
    const ptx::SharedAddress full = ring_.full(place_.stage);
    if constexpr (Tile::kCluster > 1) {
      constexpr uint16_t kAll = (1 << Tile::kCluster) - 1;
      const int share = bytes / Tile::kCluster, at = rank_of_block<Tile>() * share;
      ptx::copy_bulk_to_all(to + at, from + at, share, full, kAll);
    } else {
      ptx::copy_bulk(to, from, bytes, full);
    }
  }

  // Tells that this thread's share of the oldest chunk under way is there.
  __device__ __forceinline__ void publish() {
    ptx::fence_async_proxy();
    ptx::barrier_arrive(ring_.full(oldest_.stage));
    oldest_.advance();
    ++published_;
  }

  const TensorCoreLaunch& launch_;
  const Ring<Tile> ring_;
  InputRow* const rows_;
  const int thread_;
  InputGather<Tile::kRows, 128> gather_;
  WeightWalk weights_;
  RingPlace<Tile::kStages> place_, oldest_;
  int started_ = 0, published_ = 0;
};

// A multiplying warpgroup: 64 rows of the tile.
template <typename Tile>
class Multiplier {
 public:
  static constexpr TensorCoreType type = Tile::kType;

  __device__ __forceinline__ Multiplier(const TensorCoreLaunch& launch, Ring<Tile> ring)
      : launch_(launch), ring_(ring), first_row_((threadIdx.x / 128 - 1) * 64) {}

  __device__ __forceinline__ void run() {
    for (int number = queue_begin<Tile>(launch_); number < queue_end<Tile>(launch_); ++number) {
      const TensorCoreItem item = queue_item<Tile>(launch_, number);
#pragma unroll
      for (int i = 0; i < kSums; ++i) sum_[i] = 0.0f;
      if constexpr (type == TensorCoreType::kFp32) {
        sum_by_chunk(item.chunks);
      } else if constexpr (type == TensorCoreType::kTf32) {
        for (int chunk = 0; chunk < item.chunks; ++chunk) add_float_chunk(sum_, 1);
      } else {
        add_chunks(item.chunks);
      }
      store(launch_.branch[item.branch], item);
      __syncwarp();  // lanes may have stored different numbers of channels; wgmma wants them together
    }
  }

 private:
  static constexpr int kSums = Tile::kColumns / 2;
  using Sums = float[kSums];

  // bf16 and fp16: both matrices from shared memory; a chunk's stage is free when the next one's products
  // have been asked for and its own are done.
  __device__ __forceinline__ void add_chunks(int chunks) {
    int before = -1;
    for (int chunk = 0; chunk < chunks; ++chunk) {
      ptx::barrier_wait(ring_.full(place_.stage), place_.parity);
      if constexpr (kConsumerFence) ptx::fence_async_proxy();
      const uint64_t a = ptx::swizzled_rows(ring_.input(place_.stage) + first_row_ * kChunkBytes);
      const uint64_t b = ptx::swizzled_rows(ring_.weights(place_.stage));
      ptx::wgmma_fence();
#pragma unroll
      for (int k = 0; k < kChunkUnits; k += 2) ptx::wgmma<type, Tile::kColumns>(sum_, a + k, b + k, 1);
      ptx::wgmma_commit();
      ptx::wgmma_wait<1>();
      if (before >= 0) release(before);
      before = place_.stage;
      place_.advance();
    }
    ptx::wgmma_wait<0>();
    if (before >= 0) release(before);
  }

  // kTf32 and kFp32: the input goes through registers, where it is rounded, or split, to tf32. add: whether
  // the first product is added to what `sums` held. Of split ones the small products come first: what is cut
  // off is less where the sum is still small.
  __device__ __forceinline__ void add_float_chunk(Sums& sums, int add) {
    constexpr bool split = type == TensorCoreType::kFp32;
    ptx::barrier_wait(ring_.full(place_.stage), place_.parity);
    uint32_t high[kChunkUnits / 2][4], low[split ? kChunkUnits / 2 : 1][4];
    const int lane = threadIdx.x % 32, row = first_row_ + threadIdx.x % 128 / 32 * 16 + lane % 16;
#pragma unroll
    for (int k = 0; k < kChunkUnits; k += 2) {
      uint32_t x[4];
      ptx::load_matrices(
          x, ring_.input(place_.stage) + row * kChunkBytes + ((k + lane / 16) ^ (row & 7)) * kUnitBytes);
      if constexpr (split) {
        split_tf32(x, high[k / 2], low[k / 2]);
      } else {
#pragma unroll
        for (int i = 0; i < 4; ++i) high[k / 2][i] = ptx::round_tf32(__uint_as_float(x[i]));
      }
    }
    const uint64_t b = ptx::swizzled_rows(ring_.weights(place_.stage));
    ptx::wgmma_fence();
    if constexpr (split) {
      const uint64_t rest = ptx::swizzled_rows(ring_.weights(place_.stage) + Tile::kWeightBytes);
#pragma unroll
      for (int k = 0; k < kChunkUnits; k += 2) {
        ptx::wgmma_tf32<Tile::kColumns>(sums, low[k / 2], b + k, k > 0 ? 1 : add);
        ptx::wgmma_tf32<Tile::kColumns>(sums, high[k / 2], rest + k, 1);
      }
    }
#pragma unroll
    for (int k = 0; k < kChunkUnits; k += 2) {
      ptx::wgmma_tf32<Tile::kColumns>(sums, high[k / 2], b + k, split || k > 0 ? 1 : add);
    }
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    release(place_.stage);
    place_.advance();
  }

  // kFp32: tensor cores cut sums off, so they sum a chunk only; chunks are added with the ordinary rounding.
  __device__ __forceinline__ void sum_by_chunk(int chunks) {
    float of_chunk[kSums];
#pragma unroll
    for (int i = 0; i < kSums; ++i) of_chunk[i] = 0.0f;
    for (int chunk = 0; chunk < chunks; ++chunk) {
      add_float_chunk(of_chunk, 0);
#pragma unroll
      for (int i = 0; i < kSums; ++i) sum_[i] += of_chunk[i];
    }
  }

  // To every block that copies weights here.
  __device__ __forceinline__ void release(int stage) const {
    const int lane = threadIdx.x % 32;
    if constexpr (Tile::kCluster > 1) {
      if (lane < Tile::kCluster) ptx::barrier_arrive_in(ring_.empty(stage), lane);
    } else {
      if (lane == 0) ptx::barrier_arrive(ring_.empty(stage));
    }
  }

  __device__ __forceinline__ void store(const TensorCoreBranch& conv, const TensorCoreItem& item) {
    const Epilogue<type, Tile::kAnyChannels> epilogue(conv, item);
    const int lane = threadIdx.x % 32, row = first_row_ + threadIdx.x % 128 / 32 * 16 + lane / 4;
    const int64_t index[2] = {output_index(launch_, conv, item, row),
                              output_index(launch_, conv, item, row + 8)};
#pragma unroll
    for (int j = 0; j < Tile::kColumns / 8; j += 4) {
      float v[2][8];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int block = 0; block < 4; ++block) {
          v[half][2 * block] = sum_[4 * (j + block) + 2 * half];
          v[half][2 * block + 1] = sum_[4 * (j + block) + 2 * half + 1];
        }
        transpose_quad(v[half]);
      }
      epilogue.store(v, index, item.first_channel + 8 * (j + lane % 4));
    }
  }

  const TensorCoreLaunch& launch_;
  const Ring<Tile> ring_;
  const int first_row_;
  RingPlace<Tile::kStages> place_;
  float sum_[kSums];
};

template <typename Tile>
KERNEL(Tile::kThreads, Tile::kBlocks)
void tensor_core_wgmma(const __grid_constant__ TensorCoreLaunch launch) {
#ifdef HAVE_WGMMA
  DYNAMIC_SHARED(unsigned char, shared);
  const Ring<Tile> ring(ptx::shared_address(shared));
  if (threadIdx.x == 0) ring.make();
  if constexpr (Tile::kCluster > 1) {
    ptx::cluster_barrier();  // nobody writes to a block whose barriers are not made
  } else {
    __syncthreads();
  }
  if (threadIdx.x < 128) {
    ptx::registers_decrease<Tile::kCopyRegisters>();
    Copier<Tile>(launch, ring, reinterpret_cast<InputRow*>(shared + Tile::kRowsAt)).run();
  } else {
    ptx::registers_increase<Tile::kMultiplyRegisters>();
    Multiplier<Tile>(launch, ring).run();
  }
  if constexpr (Tile::kCluster > 1) ptx::cluster_barrier();  // nobody ends while others tell it of stages
#endif
}
