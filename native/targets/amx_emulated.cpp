// The code of amx_bf16.cpp, with its vectors in pairs of AVX2's, its tiles and VNNI's step in plain C++: for tests.
#if !defined(__AVX2__) || !defined(__FMA__)
#error "amx_emulated.cpp must be compiled with -mavx2 -mfma"
#elif defined(__AVX512F__)
#error "amx_emulated.cpp must be compiled without AVX-512: CPUs that lack it run this code"
#endif

#define RECURRA_LANES 16
#define RECURRA_PANEL 4
#define RECURRA_QUANTIZED_FROM {64 << 10, 4 << 20}
#define RECURRA_PANELS_AHEAD_FROM (1 << 20)
#define RECURRA_TILES
#define RECURRA_EMULATED_TILES
#define RECURRA_EMULATES_VNNI
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_amx_emulated;
const Kernels kernels_amx_emulated = table_of("amx_emulated", true);
}  // namespace recurra
