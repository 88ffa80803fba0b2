// Which instruction set the kernels in csrc/*/simd run with.
#pragma once

#include <string>

enum class Isa { portable, avx2, avx512, neon };

// The best set this processor has, or the one the environment variable DEEPLAB_CAFFE_ISA forces, by name.
// Builds for x86 have portable, avx2 and avx512, those for ARM portable and neon. Throws
// std::invalid_argument if that one is unknown or not to be had.
Isa active_isa();

// Whether this processor and build have it.
bool has_isa(Isa isa);

const char* isa_name(Isa isa);

// Picks namespace-per-ISA copies: SELECT_ISA(conv_kernel) names the active one's object.
#ifdef HAVE_X86
#define DECLARE_PER_ISA(declaration) \
  namespace portable {               \
  declaration;                       \
  }                                  \
  namespace avx2 {                   \
  declaration;                       \
  }                                  \
  namespace avx512 {                 \
  declaration;                       \
  }
#define SELECT_ISA(name) \
  (active_isa() == Isa::avx512 ? avx512::name : active_isa() == Isa::avx2 ? avx2::name : portable::name)
#elif defined(HAVE_NEON)
#define DECLARE_PER_ISA(declaration) \
  namespace portable {               \
  declaration;                       \
  }                                  \
  namespace neon {                   \
  declaration;                       \
  }
#define SELECT_ISA(name) (active_isa() == Isa::neon ? neon::name : portable::name)
#else
#define DECLARE_PER_ISA(declaration) \
  namespace portable {               \
  declaration;                       \
  }
#define SELECT_ISA(name) (active_isa(), portable::name)
#endif
