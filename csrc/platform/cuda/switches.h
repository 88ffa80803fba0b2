// Other forms of some kernels, off until a GPU has shown that they are faster. Each is a module of its own
// (VARIANTS in build_ninja.py), so that one process can measure all; the results are the same bits.
#pragma once

#ifdef SWITCH_IGNORE_SOURCE
// A 16-byte cp.async that shall write zeros is told so by a predicate, not by a size of 0.
constexpr bool kIgnoreSource = true;
#else
constexpr bool kIgnoreSource = false;
#endif

#ifdef SWITCH_CONSUMER_FENCE
// The ring of the wgmma kernels: a stage's barrier is told by the copies themselves that they have arrived,
// and whoever multiplies passes the proxy fence. Nobody who copies waits for copies.
constexpr bool kConsumerFence = true;
#else
constexpr bool kConsumerFence = false;
#endif

#ifdef SWITCH_CLUSTER_WEIGHTS
// The wgmma kernels can run as clusters of two blocks that walk the same weights: each block copies half of a
// chunk to both.
constexpr bool kClusterWeights = true;
#else
constexpr bool kClusterWeights = false;
#endif

#ifdef SWITCH_REGISTER_BANKS
// The exact kernel's largest tile multiplies column by column: of its FFMA 1% instead of 7% read three
// registers of one bank. (The other tiles have 1 to 8%; other orders were no better there, or spilled.)
constexpr bool kRegisterBanks = true;
#else
constexpr bool kRegisterBanks = false;
#endif

#ifdef SWITCH_FUSED_BLUR
// The CRF blurs along two axes at a time: half the launches and tables written, half more rows read.
constexpr bool kFusedBlur = true;
#else
constexpr bool kFusedBlur = false;
#endif
