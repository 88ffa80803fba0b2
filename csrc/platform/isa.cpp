#include "platform/isa.h"

#include <cstdlib>
#include <stdexcept>

namespace {

Isa choose() {
  const char* wanted = std::getenv("DEEPLAB_CAFFE_ISA");
  if (wanted == nullptr || *wanted == 0) {
    for (Isa isa : {Isa::avx512, Isa::avx2, Isa::neon}) {
      if (has_isa(isa)) return isa;
    }
    return Isa::portable;
  }
  for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512, Isa::neon}) {
    if (isa_name(isa) == std::string(wanted)) {
      if (has_isa(isa)) return isa;
      throw std::invalid_argument(std::string("DEEPLAB_CAFFE_ISA=") + wanted +
                                  ": this processor (or build) has no such instructions");
    }
  }
  throw std::invalid_argument(std::string("DEEPLAB_CAFFE_ISA=") + wanted +
                              ": unknown; one of portable, avx2, avx512, neon");
}

}  // namespace

bool has_isa(Isa isa) {
#ifdef HAVE_X86
  __builtin_cpu_init();
  if (isa == Isa::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("fma");
  }
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#elif defined(HAVE_NEON)
  if (isa == Isa::neon) return true;  // every 64-bit ARM has it
#endif
  return isa == Isa::portable;
}

const char* isa_name(Isa isa) {
  constexpr const char* names[] = {"portable", "avx2", "avx512", "neon"};
  return names[static_cast<int>(isa)];
}

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}
