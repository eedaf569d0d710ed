// NEON with dot products of bytes: most ARM CPUs since 2018.
#if !defined(__aarch64__) || !defined(__ARM_FEATURE_DOTPROD)
#error "neon_dot.cpp must be compiled with -march=armv8.2-a+dotprod"
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC) || defined(__ARM_FEATURE_MATMUL_INT8) || defined(__ARM_FEATURE_SVE)
#error "neon_dot.cpp must be compiled without bf16, i8mm and SVE: CPUs that lack them run this code"
#endif

#define RECURRA_LANES 4
#define RECURRA_PANEL 4                             // 6 rows of 4 vectors of sums, in 32 registers
#define RECURRA_QUANTIZED_FROM {4 << 20, 16 << 20}  // as in the portable target; not measured on ARM
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_neon_dot;
const Kernels kernels_neon_dot = table_of("neon_dot", false);
}  // namespace recurra
