#include "platform/isa.h"

#include <cstdlib>
#include <stdexcept>

namespace {

bool has(Isa isa) {
#ifdef HAVE_X86
  __builtin_cpu_init();
  if (isa == Isa::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("fma");
  }
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return isa == Isa::portable;
}

Isa choose() {
  const char* wanted = std::getenv("DEEPLAB_CAFFE_ISA");
  if (wanted == nullptr || *wanted == 0) {
    return has(Isa::avx512) ? Isa::avx512 : has(Isa::avx2) ? Isa::avx2 : Isa::portable;
  }
  for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
    if (isa_name(isa) == std::string(wanted)) {
      if (has(isa)) return isa;
      throw std::invalid_argument(std::string("DEEPLAB_CAFFE_ISA=") + wanted +
                                  ": this processor (or build) has no such instructions");
    }
  }
  throw std::invalid_argument(std::string("DEEPLAB_CAFFE_ISA=") + wanted +
                              ": unknown; one of portable, avx2, avx512");
}

}  // namespace

const char* isa_name(Isa isa) {
  return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "portable";
}

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}
