#include "platform/bf16_instructions.h"

#include "platform/isa.h"

#ifdef HAVE_X86_BF16
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers extended_features(unsigned leaf) {
  Registers r;
  __get_cpuid_count(7, leaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool ask_for_tile_registers() {
#ifdef __linux__
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool has_avx512_bf16() {
  static const bool found = has_isa(Isa::avx512) && (extended_features(1).eax >> 5 & 1);
  return found;
}

bool may_use_amx_bf16() {
  static const bool found = [] {
    const unsigned features = extended_features(0).edx;
    return (features >> 22 & 1) && (features >> 24 & 1) && ask_for_tile_registers();  // AMX-BF16, AMX-TILE
  }();
  return found;
}

#else

bool has_avx512_bf16() { return false; }
bool may_use_amx_bf16() { return false; }

#endif
