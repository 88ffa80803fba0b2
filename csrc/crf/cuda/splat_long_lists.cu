// Splat of vertices with many points, which flat parts of an image have: a warp for each vertex and up to 32
// labels, a thread summing one label in the order of the list.
//
// The links of kBatch points, then the rows of those points are copied to shared memory ahead of their turn,
// so that the dependent additions of the longest list, not the memory, set the pace. A group of copies holds
// the rows of batch g and the links of batch g + kStages.
#include <algorithm>

#include "crf/cuda/float4.cuh"
#include "crf/cuda/splat.h"
#include "platform/cuda/cp_async.cuh"
#include "platform/cuda/runtime.cuh"

namespace device {
namespace {

constexpr int kStages = 5, kLinkStages = 2 * kStages, kBatch = 32;
constexpr int kBlocksPerMultiprocessor = 16;  // enough to fill its shared memory

// A warp's shared memory; a row has P fours of labels.
template <int P>
struct Stage {
  float rows[kStages][kBatch][4 * P];
  Link links[kLinkStages][kBatch];
  float pre[kStages][kBatch];
  float weights[kBatch];  // of the batch whose turn it is
};

HOST_DEVICE constexpr int log2_at_least(int n) {
  int bits = 0;
  while (1 << bits < n) ++bits;
  return bits;
}

template <int P>
struct LongList {
  const Link* list;
  unsigned count;
  const float* q;  // at this warp's labels
  std::size_t q_stride;
  const float* pre;
  Stage<P>& stage;

  __device__ __forceinline__ unsigned rest(unsigned batch) const {
    const unsigned first = batch * kBatch;
    return first < count ? min(count - first, static_cast<unsigned>(kBatch)) : 0;
  }

  // A lane copies one link.
  __device__ __forceinline__ void copy_links(unsigned batch) const {
    const unsigned lane = threadIdx.x;
    if (lane >= rest(batch)) return;
    copy_async_8(&stage.links[batch % kLinkStages][lane], list + batch * kBatch + lane);
  }

  // Lanes side by side copy a row; the links are there.
  __device__ __forceinline__ void copy_rows(unsigned batch) const {
    constexpr int kBits = log2_at_least(P);
    const unsigned lane = threadIdx.x, here = rest(batch);
    const Link* const links = stage.links[batch % kLinkStages];
    float* const rows = stage.rows[batch % kStages][0];
    const unsigned piece = lane & ((1u << kBits) - 1);
#pragma unroll
    for (int round = 0; round < 1 << kBits; ++round) {
      const unsigned i = (lane >> kBits) + round * (32 >> kBits);
      if (i < here && piece < P) {
        copy_async_16(rows + (i * P + piece) * 4, q + links[i].index * q_stride + 4 * piece, false);
      }
    }
    if (pre && lane < here) {
      copy_async_4(&stage.pre[batch % kStages][lane], pre + links[lane].index, false);
    }
  }

  // The ordered sum of the label that is this lane's.
  __device__ __forceinline__ float sum() const {
    const unsigned lane = threadIdx.x, label = min(lane, 4u * P - 1);
    for (unsigned batch = 0; batch < kLinkStages - 1; ++batch) copy_links(batch);
    commit_copies();
    wait_for_copies<0>();
    __syncwarp();
    for (unsigned batch = 0; batch < kStages - 1; ++batch) {
      copy_rows(batch);
      commit_copies();
    }
    float total = 0;
    for (unsigned batch = 0; batch * kBatch < count; ++batch) {
      wait_for_copies<kStages - 2>();
      __syncwarp();
      // Every lane is past the batch before: its rows and links make room.
      copy_rows(batch + kStages - 1);
      copy_links(batch + kLinkStages - 1);
      commit_copies();
      const float weight = stage.links[batch % kLinkStages][lane].weight;
      stage.weights[lane] = pre ? weight * stage.pre[batch % kStages][lane] : weight;
      __syncwarp();
      const auto& rows = stage.rows[batch % kStages];
      const unsigned here = rest(batch);
      if (here == kBatch) {
#pragma unroll
        for (int i = 0; i < kBatch; i += 4) {
          const float4 w = load_four(stage.weights + i);
          total = total + w.x * rows[i][label];
          total = total + w.y * rows[i + 1][label];
          total = total + w.z * rows[i + 2][label];
          total = total + w.w * rows[i + 3][label];
        }
      } else {
        for (unsigned i = 0; i < here; ++i) total = total + stage.weights[i] * rows[i][label];
      }
      __syncwarp();
    }
    return total;
  }
};

// Blocks of one warp that take list after list, the longest first.
template <int P>
KERNEL(32, 1)
void sum_lists(Splats splats, int count, unsigned first_label, const float* q, std::size_t q_stride,
               std::size_t row) {
  DYNAMIC_SHARED(Stage<P>, stage);
  first_label += blockIdx.y * 32;
  for (unsigned number = blockIdx.x;; number += gridDim.x) {
    // Class by class, in each lattice by lattice.
    unsigned task = number, place = 0;
    int c = 0, k = 0;
    for (; c < kListClasses; k = k + 1 < count ? k + 1 : 0, c += k == 0) {
      const unsigned lists = splats.of[k].long_list_counts[c];
      if (task < lists) break;
      task -= lists;
    }
    if (c == kListClasses) return;
    const Splat& splat = splats.of[k];
    for (int before = 0; before < c; ++before) place += splat.links / least_length(before);
    const unsigned v = splat.long_lists[place + task], start = splat.starts[v];
    const LongList<P> list{
        splat.list + start, splat.starts[v + 1] - start, q + first_label, q_stride, splat.pre, *stage};
    const float sum = list.sum();
    if (threadIdx.x < 4 * P) splat.values[v * row + first_label + threadIdx.x] = sum;
  }
}

template <int P = 1, typename... Arguments>
void launch_sums(int pieces, unsigned blocks, unsigned chunks, Stream stream, const Splats& splats, int count,
                 unsigned first_label, const float* q, std::size_t q_stride, std::size_t row) {
  if (pieces == P) {
    launch(sum_lists<P>, dim3(blocks, chunks), 32, sizeof(Stage<P>), stream, splats, count, first_label, q,
           q_stride, row);
  } else if constexpr (P < 8) {
    launch_sums<P + 1>(pieces, blocks, chunks, stream, splats, count, first_label, q, q_stride, row);
  }
}

}  // namespace

void splat_long_lists(const Splats& splats, int count, const float* q, std::size_t q_stride, std::size_t row,
                      Stream stream) {
  std::size_t most = 0;  // lists
  for (int k = 0; k < count; ++k) most += splats.of[k].links / kLongList;
  if (most == 0) return;
  const auto room = static_cast<std::size_t>(multiprocessor_count(stream)) * kBlocksPerMultiprocessor;
  const auto blocks = static_cast<unsigned>(std::min(most, room));
  const auto chunks = static_cast<unsigned>(row / 32);
  if (chunks > 0) launch_sums(8, blocks, chunks, stream, splats, count, 0, q, q_stride, row);
  if (row % 32 != 0) {
    launch_sums(static_cast<int>(row % 32 / 4), blocks, 1, stream, splats, count, chunks * 32, q, q_stride,
                row);
  }
}

}  // namespace device
