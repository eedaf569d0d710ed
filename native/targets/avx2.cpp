// AVX2 with fused multiply-add: x86-64 since 2013.
#if !defined(__AVX2__) || !defined(__FMA__)
#error "avx2.cpp must be compiled with -mavx2 -mfma"
#elif defined(__AVX512F__) || defined(__AVXVNNI__)
#error "avx2.cpp must be compiled without AVX-512 and AVX-VNNI: CPUs that lack them run this code"
#endif

#define RECURRA_LANES 8
#define RECURRA_PANEL 2
#define RECURRA_QUANTIZED_FROM {64 << 10, 4 << 20}
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_avx2;
const Kernels kernels_avx2 = table_of("avx2", false);
}  // namespace recurra
