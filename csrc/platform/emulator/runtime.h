// CUDA's words for a C++ compiler, so that kernels run on the host: threads are fibers, device memory is the
// host's. See scheduler.h.
#pragma once

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "platform/cuda/stream.h"
#include "platform/emulator/intrinsics.h"
#include "platform/emulator/scheduler.h"

#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) alignas(bytes)
#define KERNEL(threads, blocks)
#define DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(emulator::dynamic_shared())

#define threadIdx emulator::thread_index
#define blockIdx emulator::block_index
#define blockDim emulator::block_size
#define gridDim emulator::grid_size
constexpr int warpSize = 32;

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned columns = 1, unsigned rows = 1, unsigned planes = 1)
      : x(columns), y(rows), z(planes) {}
};

template <typename... Parameters, typename... Arguments>
void launch_clusters(void (*kernel)(Parameters...), unsigned cluster, dim3 grid, dim3 block,
                     std::size_t dynamic_shared_bytes, Stream, Arguments&&... arguments) {
  const std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  auto call = [&] { std::apply(kernel, values); };
  emulator::run_grid(
      {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, dynamic_shared_bytes,
      [](void* context) { (*static_cast<decltype(call)*>(context))(); }, &call, cluster);
}

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t dynamic_shared_bytes,
            Stream stream, Arguments&&... arguments) {
  launch_clusters(kernel, 1, grid, block, dynamic_shared_bytes, stream,
                  std::forward<Arguments>(arguments)...);
}

inline void* device_allocate(std::size_t bytes, Stream) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::runtime_error("memory on the device: out of memory");
  return memory;
}
inline void device_free(void* memory, Stream) { std::free(memory); }
inline void copy(void* to, const void* from, std::size_t bytes, Stream) { std::memcpy(to, from, bytes); }
inline void fill_bytes(void* to, int value, std::size_t bytes, Stream) { std::memset(to, value, bytes); }
inline void synchronize(Stream) {}
inline int multiprocessor_count(Stream) { return 132; }
inline int device_capability(Stream) { return 90; }
