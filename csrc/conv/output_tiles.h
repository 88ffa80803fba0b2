// The outputs of a task, tile by tile.
#pragma once

#include <vector>

#include "conv/conv_plan.h"
#include "conv/simd/conv_tile.h"

struct OutputTiles {
  // Up to `lanes` outputs that are summed together, and where they are written.
  struct Tile {
    int lanes;
    int64_t first_store, last_store;
  };

  std::vector<Tile> tiles;
  std::vector<StoreRun> stores;

  OutputTiles(const ConvGeometry& g, const std::vector<Run>& runs, int lanes) {
    for (const Run& run : runs) {
      const int lane = run.position % lanes;
      if (lane == 0) {
        const int64_t stored = static_cast<int64_t>(stores.size());
        tiles.push_back({0, stored, stored});
      }
      const int64_t target = run.image * g.out_channels * g.out_plane + run.y * g.out_width + run.x;
      if (lane > 0 && stores.back().target + stores.back().length == target) {
        stores.back().length += run.length;  // whole rows follow each other in memory
      } else {
        stores.push_back({target, lane, run.length});
      }
      tiles.back().lanes = lane + run.length;
      tiles.back().last_store = static_cast<int64_t>(stores.size());
    }
  }
};
