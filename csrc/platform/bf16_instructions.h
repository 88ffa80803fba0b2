// Instructions that multiply pairs of bf16.
#pragma once

// VDPBF16PS and what its kernels need besides.
bool has_avx512_bf16();

// TDPBF16PS, with the system's leave: Linux wants to be asked before a process uses tile registers.
bool may_use_amx_bf16();
