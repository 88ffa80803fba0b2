// Atrous convolution in the canonical reduction order on the device: implicit matrix product straight from
// NCHW, the CPU's bits. Blocks of the reduction are summed one after the other; of tiles that would leave
// some multiprocessors idle each block is a work item of its own, and a second kernel adds them in order: the
// same additions.
#include "conv/cuda/atrous_conv.h"
#include "conv/cuda/conv_tile.cuh"

namespace device {

namespace {

// Sums the reduction of a tile, or one block of it.
template <class S>
__device__ __forceinline__ void run_item(const ConvArguments& a, int item, float* shared) {
  constexpr int kAhead = S::kStages - 1;  // stages under way while one is multiplied
  const OutputTile tile = find_tile(a, tile_of_item(a, item), S::kTileRows);
  int ends = tile.positions.ends;
  keep(ends);
  const bool checked = tile.positions.checked, split = item >= a.whole;
  const int first_block = block_of_item(a, item), last_block = split ? first_block : a.blocks - 1;
  const int first = first_block == 0 ? 0 : a.ends[ends + first_block - 1], last = a.ends[ends + last_block];
  Sources sources = find_sources<S>(a, tile, first, shared);

  // A stage's table is there one round before its copies start.
  for (int i = 0; i < kAhead && first + i < last; ++i) copy_table<S>(a, sources, shared, i);
  commit_copies();
  wait_for_copies<0>();
  for (int i = 0; i < kAhead; ++i) {
    __syncthreads();
    if (first + i < last) copy_stage<S>(a, sources, checked, shared, i);
    if (first + kAhead + i < last) copy_table<S>(a, sources, shared, (kAhead + i) % S::kStages);
    commit_copies();
  }

  int row = first_row<S>(), column = first_column<S>();
  keep(row);
  keep(column);
  float sum[S::kRows][S::kColumns] = {};
  int slot_now = 0, slot_next = kAhead;  // of shared memory: the stage at work, the one whose copies start
  int stage = first;
  for (int block = first_block; block <= last_block; ++block) {
    const int end = a.ends[ends + block];
    for (; stage < end; ++stage) {
      wait_for_copies<kAhead - 1>();
      __syncthreads();
      if (stage + kAhead < last) copy_stage<S>(a, sources, checked, shared, slot_next);
      // The table that is wanted two rounds on takes the place of the one used a round ago.
      if (stage + 2 * kAhead < last) {
        copy_table<S>(a, sources, shared, slot_next == 0 ? S::kStages - 1 : slot_next - 1);
      }
      commit_copies();
      multiply_stage<S>(shared + slot_now * S::kStageFloats, row, column, sum);
      slot_now = slot_now + 1 == S::kStages ? 0 : slot_now + 1;
      slot_next = slot_next + 1 == S::kStages ? 0 : slot_next + 1;
    }
    float4* scratch = scratch_of<S>(a, slot_of_item(a, item));
    if (block > first_block) load_scratch<S, true>(scratch, sum);
    if (split || block < last_block) store_scratch<S>(scratch, sum);
    if (block < last_block) set_zero<S>(sum);
  }
  wait_for_copies<0>();
  if (!split) store_tile<S>(a, item, shared, sum);
  __syncthreads();
}

// Blocks that a multiprocessor has room for. Off sm_90 the largest tiles need a few registers more than that
// leaves them; a quarter fewer blocks is better than spilling.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900
#define RESIDENT_BLOCKS(S) (S::kRows * S::kColumns >= 64 ? S::kBlocks * 3 / 4 : S::kBlocks)
#else
#define RESIDENT_BLOCKS(S) S::kBlocks
#endif

template <class S>
KERNEL(S::kThreads, RESIDENT_BLOCKS(S))
void convolve_tiles(ConvArguments a) {
  DYNAMIC_SHARED(float, shared);
  for (int item = blockIdx.x; item < a.items; item += gridDim.x) run_item<S>(a, item, shared);
}

// Adds up the blocks of a tile that convolve_tiles left in the scratch memory, and stores the outputs.
template <class S>
KERNEL(S::kThreads, S::kBlocks)
void add_blocks(ConvArguments a) {
  DYNAMIC_SHARED(float, shared);
  const int first = a.whole_slots + static_cast<int>(blockIdx.x) * a.blocks;
  float sum[S::kRows][S::kColumns];
  load_scratch<S, false>(scratch_of<S>(a, first), sum);
  for (int block = 1; block < a.blocks; ++block) {
    load_scratch<S, true>(scratch_of<S>(a, first + block), sum);
  }
  store_tile<S>(a, a.whole + static_cast<int>(blockIdx.x), shared, sum);
}

constexpr int kPackThreads = 256;

// packed [group][k][row, filled up to `stride` with 0] from weights [group][row][k].
KERNEL(kPackThreads, 1)
void pack_kernel(const float* weights, float* packed, int64_t count, int64_t rows, int64_t depth,
                 int64_t stride) {
  const int64_t i = int64_t{blockIdx.x} * kPackThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t row = i % stride, k = i / stride % depth, group = i / stride / depth;
  packed[i] = row < rows ? weights[(group * rows + row) * depth + k] : 0.0f;
}

KERNEL(kPackThreads, 1)
void unpack_kernel(const float* packed, float* weights, int64_t count, int64_t rows, int64_t depth,
                   int64_t stride) {
  const int64_t i = int64_t{blockIdx.x} * kPackThreads + threadIdx.x;
  if (i >= count) return;
  const int64_t k = i % depth, row = i / depth % rows, group = i / depth / rows;
  weights[i] = packed[(group * depth + k) * stride + row];
}

template <class S>
void launch_shape(const ConvTilePlan& plan, const ConvArguments& a, Stream stream) {
  const dim3 grid(static_cast<unsigned>(plan.grid)), block(S::kThreads);
  launch(convolve_tiles<S>, grid, block, S::kSharedBytes, stream, a);
  const int64_t split_tiles = plan.tiles_in_all - plan.whole;
  if (split_tiles == 0) return;
  constexpr std::size_t kShared = S::kStoredRows * S::kTilePositions * sizeof(float);
  launch(add_blocks<S>, dim3(static_cast<unsigned>(split_tiles)), block, kShared, stream, a);
}

// In the order of kTileShapes: the warps of a block, down and across the tile.
using Launch = void (*)(const ConvTilePlan&, const ConvArguments&, Stream);
constexpr Launch kLaunch[] = {
    launch_shape<Shape<0, 4, 2>>, launch_shape<Shape<1, 4, 1>>, launch_shape<Shape<2, 2, 2>>,
    launch_shape<Shape<3, 2, 1>>, launch_shape<Shape<4, 1, 4>>, launch_shape<Shape<5, 1, 2>>,
    launch_shape<Shape<6, 2, 2>>,
};
static_assert(sizeof(kLaunch) / sizeof(kLaunch[0]) == kTileShapeCount);

ConvArguments make_arguments(const ConvTilePlan& plan, const void* tables, const float* x,
                             const float* packed, const std::vector<EpilogueStep>& steps, float* y,
                             float* scratch) {
  const ConvGeometry& g = plan.geometry;
  ConvArguments a{};
  const char* table = static_cast<const char*>(tables);
  const auto next = [&](const auto& values, auto* pointer) {
    *pointer = reinterpret_cast<std::remove_pointer_t<decltype(pointer)>>(table);
    table += ConvTilePlan::bytes_of(values);
  };
  next(plan.stages, &a.stages);
  next(plan.regions, &a.regions);
  next(plan.tiles, &a.tiles);
  next(plan.ends, &a.ends);
  a.x = x;
  a.weights = packed;
  a.y = y;
  a.scratch = scratch;
  a.epilogue = make_epilogue(steps);
  a.items = static_cast<int>(plan.items);
  a.whole = static_cast<int>(plan.whole);
  a.whole_slots = static_cast<int>(plan.whole_slots);
  a.groups = static_cast<int>(g.groups);
  a.rows = static_cast<int>(g.rows());
  a.row_tiles = plan.row_tiles;
  a.row_stride = plan.row_stride;
  a.weight_step = plan.row_stride * static_cast<int>(sizeof(float));
  a.depth = static_cast<int>(g.depth());
  a.blocks = plan.blocks;
  a.group_channels = static_cast<int>(g.in_channels / g.groups);
  a.in_height = static_cast<int>(g.in_height);
  a.in_width = static_cast<int>(g.in_width);
  a.out_width = static_cast<int>(g.out_width);
  a.stride_height = static_cast<int>(g.stride_height);
  a.stride_width = static_cast<int>(g.stride_width);
  a.pad_height = static_cast<int>(g.pad_height);
  a.pad_width = static_cast<int>(g.pad_width);
  a.in_area = g.in_height * g.in_width;
  a.out_area = g.out_height * g.out_width;
  return a;
}

}  // namespace

int processors(Stream stream) { return multiprocessor_count(stream); }

int64_t packed_weights_size(const ConvGeometry& g) {
  if (g.depthwise()) return g.out_channels * g.taps();
  return g.groups * g.depth() * packed_row_stride(g);
}

void pack_weights(const ConvGeometry& g, const float* weights, float* packed, Stream stream) {
  const int64_t count = packed_weights_size(g);
  if (g.depthwise()) {
    copy(packed, weights, count * sizeof(float), stream);
    return;
  }
  launch(pack_kernel, block_count(count, kPackThreads), kPackThreads, 0, stream, weights, packed, count,
         g.rows(), g.depth(), packed_row_stride(g));
}

void unpack_weights(const ConvGeometry& g, const float* packed, float* weights, Stream stream) {
  const int64_t count = g.out_channels * g.depth();
  if (g.depthwise()) {
    copy(weights, packed, count * sizeof(float), stream);
    return;
  }
  launch(unpack_kernel, block_count(count, kPackThreads), kPackThreads, 0, stream, packed, weights, count,
         g.rows(), g.depth(), packed_row_stride(g));
}

void atrous_conv(const ConvTilePlan& plan, const void* tables, const float* x, const float* packed,
                 const std::vector<EpilogueStep>& steps, float* y, float* scratch, Stream stream) {
  const ConvArguments a = make_arguments(plan, tables, x, packed, steps, y, scratch);
  kLaunch[plan.shape](plan, a, stream);
}

}  // namespace device
