// NEON with products of bfloat16 and of bytes of different signs: ARM CPUs since about 2021.
#if !defined(__aarch64__) || !defined(__ARM_FEATURE_DOTPROD) || !defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC) || \
    !defined(__ARM_FEATURE_MATMUL_INT8)
#error "neon_bf16.cpp must be compiled with -march=armv8.2-a+dotprod+bf16+i8mm"
#elif defined(__ARM_FEATURE_SVE)
#error "neon_bf16.cpp must be compiled without SVE: CPUs that lack it run this code"
#endif

#define RECURRA_LANES 4
#define RECURRA_PANEL 4                             // 6 rows of 4 vectors of sums, in 32 registers
#define RECURRA_QUANTIZED_FROM {4 << 20, 16 << 20}  // as in the portable target; not measured on ARM
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_neon_bf16;
const Kernels kernels_neon_bf16 = table_of("neon_bf16", true);
}  // namespace recurra
