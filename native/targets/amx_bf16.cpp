// AVX-512 with tiles of bfloat16 and of bytes: Intel since Sapphire Rapids.
#if !defined(__AVX512F__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || \
    !defined(__FMA__) || !defined(__AVX512BF16__) || !defined(__AVX512VNNI__) || !defined(__AMX_TILE__) || \
    !defined(__AMX_BF16__) || !defined(__AMX_INT8__)
#error \
    "amx_bf16.cpp must be compiled with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mavx512vnni -mfma -mamx-tile -mamx-bf16 -mamx-int8"
#endif

#define RECURRA_LANES 16
#define RECURRA_PANEL 4
#define RECURRA_QUANTIZED_FROM {64 << 10, 1 << 20}
#define RECURRA_PANELS_AHEAD_FROM (1 << 20)  // half of the second-level cache; not measured on AMX
#define RECURRA_TILES
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_amx_bf16;
const Kernels kernels_amx_bf16 = table_of("amx_bf16", true);
}  // namespace recurra
