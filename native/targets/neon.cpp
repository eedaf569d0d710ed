// NEON with fused multiply-add: every 64-bit ARM CPU.
#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "neon.cpp must be compiled for aarch64"
#elif defined(__ARM_FEATURE_DOTPROD) || defined(__ARM_FEATURE_SVE)
#error "neon.cpp must be compiled without dotprod and SVE: CPUs that lack them run this code"
#endif

#define RECURRA_LANES 4
#define RECURRA_PANEL 4                             // 6 rows of 4 vectors of sums, in 32 registers
#define RECURRA_QUANTIZED_FROM {4 << 20, 16 << 20}  // as in the portable target; not measured on ARM
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_neon;
const Kernels kernels_neon = table_of("neon", false);
}  // namespace recurra
