// AVX-512: the instructions that every CPU with 512-bit vectors has had since the first server chips.
#if !defined(__AVX512F__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || \
    !defined(__FMA__)
#error "avx512.cpp must be compiled with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma"
#endif

#if defined(__AVX512BF16__) || defined(__AVX512VNNI__)
#error "avx512.cpp must be compiled without products of bfloat16 and of bytes: CPUs that lack them run this code"
#endif

#define RECURRA_LANES 16
#define RECURRA_PANEL 4
#define RECURRA_QUANTIZED_FROM {64 << 10, 1 << 20}
#define RECURRA_PANELS_AHEAD_FROM (640 << 10)
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_avx512;
const Kernels kernels_avx512 = table_of("avx512", false);
}  // namespace recurra
