// What the ways to convolve share: threads that take one task after the other, and how a tile is written.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <vector>

#include "conv/conv_plan.h"
#include "conv/output_tiles.h"
#include "conv/simd/conv_tile.h"
#include "platform/buffer.h"

// A thread's working memory, kept from task to task.
class Workspace {
 public:
  float* get(int64_t floats) {
    const auto wanted = static_cast<std::size_t>(floats);
    if (wanted > memory_.size()) {
      memory_ = Buffer<float>();
      memory_ = Buffer<float>(wanted);
    }
    return memory_.data();
  }

 private:
  Buffer<float> memory_;
};

// run(task, workspace) for all of them.
template <typename Run>
void run_tasks(const std::vector<Task>& tasks, int threads, const Run& run) {
  std::atomic<bool> out_of_memory{false};
#pragma omp parallel num_threads(threads)
  {
    static thread_local Workspace workspace;
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < tasks.size(); ++i) {
      try {
        if (!out_of_memory) run(tasks[i], &workspace);
      } catch (const std::bad_alloc&) {
        out_of_memory = true;
      }
    }
  }
  if (out_of_memory) throw std::bad_alloc();
}

struct Operands {
  const float *x, *packed;
  const std::vector<EpilogueStep>& steps;
  float* y;
};

// Takes a tile's sums through the epilogue and writes them; row: of the group.
inline void store_tile(const ConvGeometry& g, const ConvKernels& kernels, const Operands& o, int64_t group,
                       int64_t row, const OutputTiles::Tile& tile, const StoreRun* stores,
                       const float* sums) {
  const auto rows = static_cast<int>(std::min<int64_t>(kConvRows, g.rows() - row));
  kernels.store(sums, rows, o.steps.data(), static_cast<int64_t>(o.steps.size()), stores + tile.first_store,
                tile.last_store - tile.first_store, group * g.rows() + row, g.out_plane, o.y);
}
