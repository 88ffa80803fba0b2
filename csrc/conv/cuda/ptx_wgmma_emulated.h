// Twins of ptx_wgmma.cuh. Products are made at the wait, as late as they may be.
#pragma once

#include "conv/tensor_core.h"
#include "platform/emulator/ptx.h"

namespace emulator {

// 32 bytes of row `row` of a matrix that a descriptor names: where its two 16-byte units lie.
inline void matrix_row(uint64_t descriptor, int row, unsigned char (&bytes)[32]) {
  if (descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0) {
    throw std::runtime_error("emulated wgmma: only the 128-byte swizzle is known");
  }
  const auto start = static_cast<uint32_t>((descriptor & 0x3fff) << 4);
  const auto group = static_cast<uint32_t>((descriptor >> 32 & 0x3fff) << 4);
  for (int unit = 0; unit < 2; ++unit) {
    const uint32_t address = start + row / 8 * group + row % 8 * 128 + unit * 16;
    std::memcpy(bytes + 16 * unit, shared_bytes(address ^ (address >> 7 & 7) << 4), 16);
  }
}

template <TensorCoreType type>
constexpr int kStepElements = type == TensorCoreType::kBf16 || type == TensorCoreType::kFp16 ? 16 : 8;

template <TensorCoreType type>
inline void decode_row(const unsigned char (&bytes)[32], float* values) {
  for (int i = 0; i < kStepElements<type>; ++i) {
    if constexpr (kStepElements<type> == 16) {
      uint16_t bits;
      std::memcpy(&bits, bytes + 2 * i, 2);
      values[i] = type == TensorCoreType::kBf16 ? bf16_value(bits) : fp16_value(bits);
    } else {
      uint32_t bits;
      std::memcpy(&bits, bytes + 4 * i, 4);
      values[i] = ptx::tf32_element(bits, 0);
    }
  }
}

// A product of a thread that has been asked for: its two rows of a, given or to be read, and b.
struct Product {
  float* d;
  bool a_given, add;
  uint64_t a, b;
  float rows[2][16];
  unsigned group;
  void (*run)(Product&);
};
struct Products {
  std::vector<Product> waiting;
  unsigned group = 0;
};
inline Products& products() {
  static Products of_thread[kMaxClusterThreads];
  return of_thread[thread_of_cluster()];
}

template <TensorCoreType type, int n>
inline void run_product(Product& p) {
  unsigned char bytes[32];
  const int thread = static_cast<int>(thread_number()) % 128, row = thread / 32 * 16 + thread % 32 / 4;
  if (!p.a_given) {
    for (int half = 0; half < 2; ++half) {
      matrix_row(p.a, row + 8 * half, bytes);
      decode_row<type>(bytes, p.rows[half]);
    }
  }
  for (int j = 0; j < n / 8; ++j) {
    for (int i = 0; i < 2; ++i) {
      float weights[16];
      matrix_row(p.b, 8 * j + thread % 4 * 2 + i, bytes);
      decode_row<type>(bytes, weights);
      for (int half = 0; half < 2; ++half) {
        float& d = p.d[4 * j + 2 * half + i];
        double addend[1 + kStepElements<type>] = {p.add ? d : 0.0};
        for (int k = 0; k < kStepElements<type>; ++k) {
          addend[1 + k] = static_cast<double>(p.rows[half][k]) * weights[k];
        }
        d = tensor_core_sum(addend);
      }
    }
  }
}

}  // namespace emulator

namespace ptx {

inline void wgmma_fence() {}
inline void wgmma_commit() { ++emulator::products().group; }
template <int left>
inline void wgmma_wait() {
  emulator::Products& products = emulator::products();
  size_t done = 0;
  while (done < products.waiting.size() && products.waiting[done].group + left < products.group) {
    emulator::Product& product = products.waiting[done++];
    product.run(product);
  }
  products.waiting.erase(products.waiting.begin(), products.waiting.begin() + done);
  emulator::part();  // a warp waits together: what one lane then tells of its stage is true of all
}

template <TensorCoreType type, int n>
inline void wgmma(float (&d)[n / 2], uint64_t a, uint64_t b, int add) {
  emulator::Products& products = emulator::products();
  products.waiting.push_back({d, false, add != 0, a, b, {}, products.group, emulator::run_product<type, n>});
}

template <int n>
inline void wgmma_tf32(float (&d)[n / 2], const uint32_t (&a)[4], uint64_t b, int add) {
  emulator::Products& products = emulator::products();
  emulator::Product product{d, true, add != 0,       0,
                            b, {},   products.group, emulator::run_product<TensorCoreType::kTf32, n>};
  const auto* all = emulator::meet(a);
  for (int i = 0; i < 4; ++i) {
    for (int quad = 0; quad < 4; ++quad) {
      const uint32_t bits = (*all[emulator::lane() / 4 * 4 + quad])[i];
      product.rows[i % 2][i / 2 * 4 + quad] = tf32_element(bits, 0);
    }
  }
  emulator::part();
  products.waiting.push_back(product);
}

}  // namespace ptx
