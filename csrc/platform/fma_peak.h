// Fused multiply-adds in registers alone, to measure what the machine could reach.
#pragma once

#include <cstdint>

#include "platform/isa.h"

// Runs `rounds` rounds of independent chains; the result only keeps the compiler from leaving them out.
DECLARE_PER_ISA(float fma_chains(std::int64_t rounds))
// Floating-point operations of one round (a fused multiply-add is two).
DECLARE_PER_ISA(std::int64_t fma_chain_operations())
