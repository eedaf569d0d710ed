// The kernels, written once with the compiler's vector extensions. Each file in targets/ defines RECURRA_LANES,
// RECURRA_PANEL and RECURRA_QUANTIZED_FROM, and RECURRA_PANELS_AHEAD_FROM if its processors multiply two vectors of 16 in a
// clock; then it includes this file. Everything is in an unnamed namespace, and nothing comes from std:: (README.md says
// why).
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace recurra {
namespace {

constexpr std::size_t lanes = RECURRA_LANES;
typedef float Floats __attribute__((vector_size(RECURRA_LANES * 4)));
typedef double Doubles __attribute__((vector_size(RECURRA_LANES * 4)));

// The size of a matrix in bytes from which on panels are prefetched, each while the one before is multiplied: the
// second-level cache does not keep the matrix from one product to the next, beside the rest. 0: never.
#ifdef RECURRA_PANELS_AHEAD_FROM
constexpr bool has_two_multipliers = true;
constexpr std::size_t panels_ahead_from = RECURRA_PANELS_AHEAD_FROM;
#else
constexpr bool has_two_multipliers = false;
constexpr std::size_t panels_ahead_from = 0;
#endif

#include "vector_math.inl"

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef Floats type;
};
template <>
struct VectorOf<double> {
  typedef Doubles type;
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr std::size_t width_of = sizeof(Vector<T>) / sizeof(T);

// Loads a whole vector at p, of any alignment.
template <class T>
inline Vector<T> load(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, Vector<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// Loads the first n elements at p; the other lanes are zeros.
template <class T>
inline Vector<T> load_part(const T* p, std::size_t n) {
  Vector<T> v = {};
  for (std::size_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}

template <class T>
inline void store_part(T* p, Vector<T> v, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) p[i] = v[i];
}

#if defined(__AVX512F__)
inline Floats load_part(const float* p, std::size_t n) {
  return (Floats)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}
inline void store_part(float* p, Floats v, std::size_t n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)v);
}
#endif

template <class T>
inline Vector<T> splat(T x) {
  return x - Vector<T>{};  // not x + 0, which would lose the sign of -0
}

float dot(const float* a, const float* b, std::size_t n) {
  Floats sums = {};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) sums += load(a + i) * load(b + i);
  if (i < n) sums += load_part(a + i, n - i) * load_part(b + i, n - i);
  float sum = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) sum += sums[lane];
  return sum;
}

#define RECURRA_UNROLL _Pragma("GCC unroll 16")
#include "kernels_packing.inl"
#include "kernels_product.inl"
#include "kernels_rounded.inl"
#include "kernels_sums.inl"
#include "kernels_unpacked.inl"
#include "kernels_windows.inl"
#ifdef RECURRA_TILES
#include "kernels_tiles.inl"
#endif
// After the others, whose functions it takes.
#include "kernels_integer.inl"

#include "kernels_integer_rounded.inl"

#include "kernels_integer_packing.inl"

#include "kernels_bytes.inl"
#include "kernels_integer_windows.inl"
#include "kernels_quanta.inl"
#include "kernels_ranged.inl"
#undef RECURRA_UNROLL
#include "kernels_elementwise.inl"

// A core that multiplies two vectors in a clock waits for the weights of so few rows (docs/performance.md).
constexpr std::size_t slice_rows = has_two_multipliers ? 9 : 2;

template <class T>
constexpr Routines<T> routines = {
    width_of<T>, panel_vectors,  outer_vectors, outer_rows,      slice_rows,           RECURRA_QUANTIZED_FROM,
    Form::wide,  pack<T>,        pack<T>,       multiply<T>,     multiply_unpacked<T>, outer<T>,
    rows_sum<T>, elementwise<T>, reduce<T>,     pack_windows<T>, correlate<T>,         pool<T>};

// Those of float32, but operands of products are rounded.
constexpr Routines<float> with_rounding(Routines<float> all) {
  all.quantized_from = {~std::size_t(0), ~std::size_t(0)};
  all.form = Form::rounded;
  all.pack = pack_rounded;
  all.multiply_unpacked = multiply_nothing;
  all.outer = outer_rounded;
  all.outer_vectors = panel_vectors;
  all.outer_rows = 0;
  return all;
}

constexpr Routines<float> rounded_routines = with_rounding(routines<float>);

constexpr Routines<float> with_integers(Routines<float> all) {
  all.quantized_from = {~std::size_t(0), ~std::size_t(0)};
  all.form = Form::integer;
  all.pack = pack_integers<false>;
  all.multiply = multiply_integers;
  all.multiply_unpacked = multiply_nothing;
  return all;
}

constexpr Routines<float> integer_routines = with_integers(routines<float>);

constexpr Routines<float> with_ranges(Routines<float> all) {
  all.pack = pack_integers<true>;
  all.multiply = multiply_ranged;
  return all;
}

constexpr Routines<float> ranged_routines = with_ranges(integer_routines);
constexpr IntegerRoutines byte_routines = {pack_bytes, multiply_bytes, interleave_bytes, pack_filters, correlate_bytes,
                                           quantize,   dequantize,     range_of,         scale_sums,   round_sums};
#ifdef RECURRA_TILES
constexpr Routines<float> with_tiles(Routines<float> all) {
  all.multiply = multiply_tiles;
  all.outer = outer_tiles;
  return all;
}

constexpr Routines<float> bf16_routines = with_tiles(rounded_routines);
constexpr Bf16Order bf16_order = Bf16Order::blocks;
#else
constexpr Routines<float> bf16_routines = rounded_routines;
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
constexpr Bf16Order bf16_order = Bf16Order::dots;
#else
constexpr Bf16Order bf16_order = Bf16Order::pairs;
#endif
#endif

// The table of a target.
constexpr Kernels table_of(const char* name, bool has_bf16) {
  return {name,
          lanes,
          copies_strands,
          dot,
          routines<float>,
          routines<double>,
          bf16_routines,
          bf16_order,
          has_bf16,
          integer_routines,
          ranged_routines,
          byte_routines};
}

}  // namespace
}  // namespace recurra
