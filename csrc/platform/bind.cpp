#include "platform/bind.h"

#include "platform/buffer.h"
#include "platform/fma_peak.h"
#include "platform/isa.h"

BINDINGS {
  m.def("isa", [] { return isa_name(active_isa()); });
  BIND(m, advise_huge_pages);
  BIND_PER_ISA(m, fma_chains);
  BIND_PER_ISA(m, fma_chain_operations);
}
