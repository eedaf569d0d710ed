// AVX2 with products of bytes: Intel's processors without AVX-512 since Alder Lake (2021).
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__AVXVNNI__)
#error "avx_vnni.cpp must be compiled with -mavx2 -mfma -mavxvnni"
#elif defined(__AVX512F__)
#error "avx_vnni.cpp must be compiled without AVX-512: CPUs that lack it run this code"
#endif

#define RECURRA_LANES 8
#define RECURRA_PANEL 2
#define RECURRA_QUANTIZED_FROM {64 << 10, 4 << 20}
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_avx_vnni;
const Kernels kernels_avx_vnni = table_of("avx_vnni", false);
}  // namespace recurra
