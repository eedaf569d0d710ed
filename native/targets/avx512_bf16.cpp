// AVX-512 with products of bfloat16: Intel since Cooper Lake, AMD since Zen 4.
#if !defined(__AVX512F__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || \
    !defined(__FMA__) || !defined(__AVX512BF16__) || !defined(__AVX512VNNI__)
#error \
    "avx512_bf16.cpp must be compiled with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mavx512vnni -mfma"
#endif

#define RECURRA_LANES 16
#define RECURRA_PANEL 4
#define RECURRA_QUANTIZED_FROM {64 << 10, 1 << 20}
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_avx512_bf16;
const Kernels kernels_avx512_bf16 = table_of("avx512_bf16", true);
}  // namespace recurra
