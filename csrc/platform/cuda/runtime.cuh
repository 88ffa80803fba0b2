// What kernels and their launchers use of the CUDA runtime. The same .cu files are compiled by nvcc and, for
// tests without a GPU, by a C++ compiler against the emulator; no other header knows which.
//
//   KERNEL(threads, blocks) void f(...)     a kernel, its block size and how many blocks shall share an SM
//   DYNAMIC_SHARED(float, tile);            the launch's dynamic shared memory, aligned to 1024 bytes
//   launch(f, grid, block, shared_bytes, stream, arguments...)
//   launch_clusters(f, cluster, ...)        the same; so many neighbours in x are a cluster (sm_90)
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "platform/cuda/stream.h"

#ifdef __CUDACC__

#include <cuda_runtime.h>

#include <tuple>
#include <utility>

#define KERNEL(threads, blocks) __global__ __launch_bounds__(threads, blocks)
#define DYNAMIC_SHARED(type, name)                                   \
  extern __shared__ __align__(1024) unsigned char dynamic_shared_[]; \
  type* const name = reinterpret_cast<type*>(dynamic_shared_)

inline void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // clears the error, or the next check would report it again
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

// Makes the stream's device the current one for as long as it lives.
class DeviceGuard {
 public:
  explicit DeviceGuard(Stream stream) {
    check_cuda(cudaGetDevice(&before_), "cudaGetDevice");
    if (stream.device != before_) check_cuda(cudaSetDevice(stream.device), "cudaSetDevice");
    changed_ = stream.device != before_;
  }
  ~DeviceGuard() {
    if (changed_) cudaSetDevice(before_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

// start(function, addresses of the arguments) launches it.
template <typename Start, typename... Parameters, typename... Arguments>
void launch_by(const Start& start, void (*kernel)(Parameters...), std::size_t dynamic_shared_bytes,
               Stream stream, Arguments&&... arguments) {
  const DeviceGuard guard(stream);
  const auto* function = reinterpret_cast<const void*>(kernel);
  if (dynamic_shared_bytes > 48 * 1024) {
    check_cuda(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(dynamic_shared_bytes)),
               "shared memory of a kernel");
  }
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  std::apply(
      [&](Parameters&... parameters) {
        // One more, for a kernel without parameters.
        void* addresses[] = {const_cast<void*>(static_cast<const void*>(&parameters))..., nullptr};
        check_cuda(start(function, addresses), "launch of a kernel");
      },
      values);
}

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t dynamic_shared_bytes,
            Stream stream, Arguments&&... arguments) {
  const auto start = [&](const void* function, void** addresses) {
    return cudaLaunchKernel(function, grid, block, addresses, dynamic_shared_bytes, stream.handle);
  };
  launch_by(start, kernel, dynamic_shared_bytes, stream, std::forward<Arguments>(arguments)...);
}

#if CUDART_VERSION >= 11080
template <typename... Parameters, typename... Arguments>
void launch_clusters(void (*kernel)(Parameters...), unsigned cluster, dim3 grid, dim3 block,
                     std::size_t dynamic_shared_bytes, Stream stream, Arguments&&... arguments) {
  cudaLaunchAttribute size{};
  size.id = cudaLaunchAttributeClusterDimension;
  size.val.clusterDim = {cluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = dynamic_shared_bytes;
  config.stream = stream.handle;
  config.attrs = &size;
  config.numAttrs = 1;
  const auto start = [&](const void* function, void** addresses) {
    return cudaLaunchKernelExC(&config, function, addresses);
  };
  launch_by(start, kernel, dynamic_shared_bytes, stream, std::forward<Arguments>(arguments)...);
}
#endif

// Memory in the order of the stream's work.
inline void* device_allocate(std::size_t bytes, Stream stream) {
  const DeviceGuard guard(stream);
  void* memory = nullptr;
  check_cuda(cudaMallocAsync(&memory, bytes, stream.handle), "memory on the device");
  return memory;
}

inline void device_free(void* memory, Stream stream) {
  const DeviceGuard guard(stream);
  check_cuda(cudaFreeAsync(memory, stream.handle), "cudaFreeAsync");
}

// Either side may be the host's.
inline void copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  const DeviceGuard guard(stream);
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream.handle), "cudaMemcpyAsync");
}

inline void fill_bytes(void* to, int value, std::size_t bytes, Stream stream) {
  const DeviceGuard guard(stream);
  check_cuda(cudaMemsetAsync(to, value, bytes, stream.handle), "cudaMemsetAsync");
}

inline void synchronize(Stream stream) {
  check_cuda(cudaStreamSynchronize(stream.handle), "cudaStreamSynchronize");
}

inline int multiprocessor_count(Stream stream) {
  int count = 0;
  check_cuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, stream.device),
             "cudaDeviceGetAttribute");
  return count;
}

// Compute capability, 90 for 9.0.
inline int device_capability(Stream stream) {
  int major = 0, minor = 0;
  check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, stream.device),
             "cudaDeviceGetAttribute");
  check_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, stream.device),
             "cudaDeviceGetAttribute");
  return 10 * major + minor;
}

#else

#include "platform/emulator/runtime.h"

#endif

// The blocks of `threads` that `work` threads need.
inline unsigned block_count(std::int64_t work, int threads) {
  const std::int64_t blocks = (work + threads - 1) / threads;
  if (blocks > 0x7fffffff) throw std::runtime_error("a tensor has too many values for one kernel");
  return static_cast<unsigned>(blocks);
}
