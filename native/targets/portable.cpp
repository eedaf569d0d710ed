// Portable: 128-bit vectors. Every x86-64 CPU has them (SSE2); elsewhere the compiler expands them.
#if defined(__AVX__)
#error "portable.cpp must be compiled without AVX: CPUs that lack it run this code"
#endif

#define RECURRA_LANES 4
#define RECURRA_PANEL 2
#define RECURRA_QUANTIZED_FROM {4 << 20, 16 << 20}
#include "../kernels.inl"

namespace recurra {
extern const Kernels kernels_portable;
const Kernels kernels_portable = table_of("portable", false);
}  // namespace recurra
