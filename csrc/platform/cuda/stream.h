// Where a device op runs; needs no CUDA header, so host code and the bindings may name it.
#pragma once

struct CUstream_st;
using cudaStream_t = CUstream_st*;

// Device ops have the CPU ops' signatures with a Stream in place of the number of threads.
struct Stream {
  int device;
  cudaStream_t handle;
};
