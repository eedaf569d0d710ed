// Elementwise functions on vectors, written once for all targets. kernels.inl includes this file in its unnamed
// namespace, after it has defined `lanes`, `Floats` and `Doubles`, and has included <immintrin.h> on x86 or
// <arm_neon.h> on ARM at file scope.
//
// All lanes run the same instructions, and a lane takes a slow path by its own value alone. So no result depends on the
// neighbouring lanes. NaN gives NaN. Nothing here changes or expects a mode of the processor. In the usual mode,
// subnormal numbers are honoured. In the mode in which the executor runs kernels (subnormals.h), subnormal operands and
// results are zeros of their sign.
//
// Largest errors in ulp, measured on x86, not proved. Over all floats: exp and log 1.0, tanh and sigmoid 2.5, softplus
// 1.8, erf 1.3, sqrt 0.5. sin and cos: 1.6 to 1e5, 1.9 to 2^20. pow: 0.51, sampled. Doubles, sampled: exp and log 1.0,
// the rest 2.2.
//
// The coefficients were fitted for this file: Lawson's reweighted least squares, to the smallest maximum of the
// relative error of the whole function on the interval named, then rounded one after the other with the rest fitted
// again.

#if defined(__SSE2__) && !defined(_IMMINTRIN_H_INCLUDED) && !defined(__IMMINTRIN_H)
#error "include <immintrin.h> at file scope before vector_math.inl"
#endif

// Whether Floats and Doubles are NEON's vectors. Every 64-bit ARM CPU has all instructions that are used here.
#if defined(__aarch64__) && RECURRA_LANES == 4
#define RECURRA_NEON 1
#else
#define RECURRA_NEON 0
#endif

// Always inlined: a call would spill all vector registers, and load each constant again.
#define RECURRA_INLINE __attribute__((always_inline)) inline
// Keeps a rare path out of the usual one.
#define RECURRA_COLD __attribute__((noinline, cold, unused)) static

typedef std::int32_t Ints __attribute__((vector_size(RECURRA_LANES * 4)));
typedef std::uint32_t Words __attribute__((vector_size(RECURRA_LANES * 4)));
typedef std::uint64_t LongWords __attribute__((vector_size(RECURRA_LANES * 4)));

// Whether vm::fma below is one fused instruction.
#if (defined(__AVX512F__) && RECURRA_LANES == 16) || (defined(__FMA__) && RECURRA_LANES == 8) || RECURRA_NEON
#define RECURRA_FUSED 1
#else
#define RECURRA_FUSED 0
#endif

namespace vm {

constexpr std::size_t double_lanes = lanes / 2;
constexpr float infinity = __builtin_inff();

#if defined(__AVX512F__) && RECURRA_LANES == 16
// With a mask of all lanes, these are the plain instructions without GCC 12's false -Wmaybe-uninitialized.
constexpr __mmask16 every = 0xffff;
constexpr __mmask8 every_double = 0xff;
#endif

RECURRA_INLINE Floats splat(float c) { return Floats{} + c; }
RECURRA_INLINE Doubles splat(double c) { return Doubles{} + c; }

RECURRA_INLINE Floats absolute(Floats x) { return (Floats)((Words)x & 0x7fffffffu); }
RECURRA_INLINE Doubles absolute(Doubles x) { return (Doubles)((LongWords)x & 0x7fffffffffffffffu); }

// a * b + c, fused if the target has the instruction. The compiler alone fuses nothing without optimisation, and of two
// products that are added, it is free to fuse either.
RECURRA_INLINE Floats fma(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__) && RECURRA_LANES == 8
  return _mm256_fmadd_ps(a, b, c);
#elif RECURRA_NEON
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;
#endif
}
RECURRA_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__) && RECURRA_LANES == 8
  return _mm256_fmadd_pd(a, b, c);
#elif RECURRA_NEON
  return vfmaq_f64(c, a, b);
#else
  return a * b + c;
#endif
}
RECURRA_INLINE Floats fma(Floats a, Floats b, float c) { return fma(a, b, splat(c)); }
RECURRA_INLINE Floats fma(Floats a, float b, Floats c) { return fma(a, splat(b), c); }
RECURRA_INLINE Floats fma(Floats a, float b, float c) { return fma(a, splat(b), splat(c)); }

// Limits that keep NaN. If either operand is NaN, minps and maxps give the second operand, fmin and fmax the NaN.
RECURRA_INLINE Floats at_most(Floats x, float limit) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_maskz_min_ps(every, splat(limit), x);
#elif defined(__AVX__) && RECURRA_LANES == 8
  return _mm256_min_ps(splat(limit), x);
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return _mm_min_ps(splat(limit), x);
#elif RECURRA_NEON
  return vminq_f32(x, splat(limit));
#else
  return x > limit ? splat(limit) : x;
#endif
}
RECURRA_INLINE Floats at_least(Floats x, float limit) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_maskz_max_ps(every, splat(limit), x);
#elif defined(__AVX__) && RECURRA_LANES == 8
  return _mm256_max_ps(splat(limit), x);
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return _mm_max_ps(splat(limit), x);
#elif RECURRA_NEON
  return vmaxq_f32(x, splat(limit));
#else
  return x < limit ? splat(limit) : x;
#endif
}

// Whether the mask of a comparison is set in any lane.
RECURRA_INLINE bool any(Ints mask) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX__) && RECURRA_LANES == 8
  return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return _mm_movemask_ps((__m128)mask) != 0;
#elif RECURRA_NEON
  return vmaxvq_u32((Words)mask) != 0;
#else
  std::int32_t set = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) set |= mask[lane];
  return set != 0;
#endif
}

// Converts the lower and upper half of x to doubles, and back (rounded once).
RECURRA_INLINE void widen(Floats x, Doubles& low, Doubles& high) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  low = _mm512_maskz_cvtps_pd(every_double, _mm512_maskz_extractf32x8_ps(every_double, x, 0));
  high = _mm512_maskz_cvtps_pd(every_double, _mm512_maskz_extractf32x8_ps(every_double, x, 1));
#elif defined(__AVX__) && RECURRA_LANES == 8
  low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
  high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
#elif defined(__SSE2__) && RECURRA_LANES == 4
  low = _mm_cvtps_pd(x);
  high = _mm_cvtps_pd(_mm_movehl_ps(x, x));
#elif RECURRA_NEON
  low = vcvt_f64_f32(vget_low_f32(x));
  high = vcvt_high_f64_f32(x);
#else
  for (std::size_t lane = 0; lane < double_lanes; ++lane) {
    low[lane] = x[lane];
    high[lane] = x[lane + double_lanes];
  }
#endif
}
RECURRA_INLINE Floats narrow(Doubles low, Doubles high) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  const __m512 half = _mm512_castps256_ps512(_mm512_maskz_cvtpd_ps(every_double, low));
  return _mm512_maskz_insertf32x8(every, half, _mm512_maskz_cvtpd_ps(every_double, high), 1);
#elif defined(__AVX__) && RECURRA_LANES == 8
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high), 1);
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
#elif RECURRA_NEON
  return vcvt_high_f32_f64(vcvt_f32_f64(low), high);
#else
  Floats x;
  for (std::size_t lane = 0; lane < double_lanes; ++lane) {
    x[lane] = (float)low[lane];
    x[lane + double_lanes] = (float)high[lane];
  }
  return x;
#endif
}

// Adding 1.5 * 2^23 rounds a float to an integer, ties to even, and leaves it in the sum's low bits: |x| < 2^22.
constexpr float rounder = 0x1.8p23f;
constexpr std::uint32_t rounder_bits = 0x4b400000u;

// ln 2 in two parts (Cody & Waite 1980): the first has 15 bits, so its product with an exponent is exact, fused or not.
constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f, log2_e = 0x1.715476p0f;

// exp(x - n ln 2) - 1 for the integer n next to x / ln 2, as r + r^2 q(r): relative error 2^-31 on |r| <= 0.348.
RECURRA_INLINE Floats expm1_reduced(Floats x, Floats n) {
  const Floats r = fma(n, -ln2_low, fma(n, -ln2_high, x));
  const Floats square = r * r;
  Floats q = fma(square, fma(r, 0x1.9e7d78p-13f, 0x1.6d3aacp-10f), fma(r, 0x1.1112d4p-7f, 0x1.5554f8p-5f));
  q = fma(square, q, fma(r, 0x1.555554p-3f, 0.5f));
  return fma(square, q, r);
}

// exp(x) for x <= 0.
RECURRA_INLINE Floats exp_of_negative(Floats x) {
  x = at_least(x, -104.0f);  // exp(-104) rounds to 0
#if defined(__AVX512F__) && RECURRA_LANES == 16
  const Floats n = fma(x, log2_e, rounder) - rounder;
  return _mm512_maskz_scalef_ps(every, expm1_reduced(x, n) + 1.0f, n);
#else
  // 2^(n + 64) is a normal float for all n here, so only the last product rounds a denormal result. The rounder carries
  // the exponent's bias: the sum, shifted, is that power. Products, unlike sums of bits, keep a NaN.
  constexpr float biased = rounder + (64 + 127);
  const Floats sum = fma(x, log2_e, biased);
  return (expm1_reduced(x, sum - biased) + 1.0f) * (Floats)((Words)sum << 23) * 0x1p-64f;
#endif
}

// log(1 + f) as f + f^2 (f p(f) - 1/2): this is the second term. Relative error 2^-30 on [-1/4, 1/2].
RECURRA_INLINE Floats log1p_tail(Floats f) {
  const Floats square = f * f;
  const Floats fourth = square * square;
  const Floats p01 = fma(f, -0x1.00006ep-2f, 0x1.55555ap-2f);
  const Floats p23 = fma(f, -0x1.5519d6p-3f, 0x1.999764p-3f);
  const Floats p45 = fma(f, -0x1.04ad32p-3f, 0x1.246388p-3f);
  const Floats p67 = fma(f, -0x1.750608p-4f, 0x1.df1c66p-4f);
  Floats p = fma(fourth, 0x1.341cc4p-5f, fma(square, p67, p45));
  p = fma(fourth, p, fma(square, p23, p01));
  return square * fma(f, p, -0.5f);
}

// x - n pi/2 for the integer n next to it (Cody & Waite 1980), and n in the low bits of the sum. 0 <= x <= 2^20.
constexpr float most_reduced = 0x1p20f;
RECURRA_INLINE Floats quarter_turns(Floats x, Words& n) {
  const Floats sum = fma(x, 0x1.45f306p-1f, rounder);
  const Floats turns = sum - rounder;
  n = (Words)sum;
#if RECURRA_FUSED
  // pi/2 in three floats. Fused, the first step is exact: x and n pi/2 are multiples of 2^-24 less than 1 apart.
  const Floats r = fma(turns, -0x1.921fb6p0f, x);
  return fma(turns, 0x1.ee59dap-50f, fma(turns, 0x1.777a5cp-25f, r));
#else
  // Unfused, floats would need many short parts; in double two do, the first with 33 bits.
  Doubles x_low, x_high, n_low, n_high;
  widen(x, x_low, x_high);
  widen(turns, n_low, n_high);
  constexpr double high = 0x1.921fb544p0, low = 0x1.0b4611a626331p-34;
  return narrow(x_low - n_low * high - n_low * low, x_high - n_high * high - n_high * low);
#endif
}

// sin r and cos r; relative errors 2^-27.7 and 2^-32.6 on |r| <= 0.8.
RECURRA_INLINE Floats sin_reduced(Floats r) {
  const Floats square = r * r;
  const Floats p = fma(square, fma(square, -0x1.990f92p-13f, 0x1.1106aep-7f), -0x1.555544p-3f);
  return fma(r * square, p, r);
}
RECURRA_INLINE Floats cos_reduced(Floats r) {
  const Floats square = r * r;
  const Floats p = fma(square, fma(square, 0x1.99911cp-16f, -0x1.6c0af4p-10f), 0x1.555548p-5f);
  return fma(square, fma(square, p, -0.5f), 1.0f);
}

// Computes the lanes that are set in `slow` with libm.
RECURRA_COLD Floats slow_sin(Floats x, Floats y, Ints slow) {
  for (std::size_t lane = 0; lane < lanes; ++lane)
    if (slow[lane]) y[lane] = __builtin_sinf(x[lane]);
  return y;
}
RECURRA_COLD Floats slow_cos(Floats x, Floats y, Ints slow) {
  for (std::size_t lane = 0; lane < lanes; ++lane)
    if (slow[lane]) y[lane] = __builtin_cosf(x[lane]);
  return y;
}
RECURRA_COLD Floats slow_pow(Floats a, Floats b, Floats y, Ints slow) {
  for (std::size_t lane = 0; lane < lanes; ++lane)
    if (slow[lane]) y[lane] = __builtin_powf(a[lane], b[lane]);
  return y;
}

// a^b in double, with an error of at most 2^-33 where the result is a float. a is a positive float, b is finite.
RECURRA_INLINE Doubles pow_positive(Doubles a, Doubles b) {
  // a = m 2^e with m in [3/4, 3/2).
  const LongWords bits = (LongWords)a;
  const LongWords biased = (bits - 0x3fe8000000000000u + (std::uint64_t{1023} << 52)) >> 52;
  const Doubles m = (Doubles)(bits - (biased << 52) + (std::uint64_t{1023} << 52));
  const Doubles e = (Doubles)(biased | 0x4330000000000000u) - (0x1p52 + 1023);
  // log2 m = s p(s^2), s = (m - 1) / (m + 1): relative error 2^-42.4 on |s| <= 0.2.
  const Doubles s = (m - 1.0) / (m + 1.0);
  const Doubles u = s * s;
  const Doubles v = u * u;
  const Doubles p =
      (v * (u * 0x1.29daf4980e21bp-2 + 0x1.46f1a3c0b738dp-2) + (u * 0x1.a61ea6572b151p-2 + 0x1.2776bc41f1b93p-1)) * v +
      (u * 0x1.ec709dcb68c5ep-1 + 0x1.71547652b7e89p+1);
  Doubles y = b * (e + s * p);
  y = y < -200.0 ? splat(-200.0) : y;  // 2^-200 is 0 as a float, and 2^200 infinite
  y = y > 200.0 ? splat(200.0) : y;
  // 2^(n + r) = 2^n q(r): relative error 2^-34.3 on |r| <= 0.501. The rounder carries the exponent's bias.
  constexpr double rounder = 0x1.8p52 + 1023;
  const Doubles sum = y + rounder;
  const Doubles r = y - (sum - rounder);
  const Doubles t = r * r;
  const Doubles q =
      (t * (r * 0x1.fde40eb9ac9ffp-17 + 0x1.445ddeac04662p-13) + (r * 0x1.5d8a8b2c4cd1ep-10 + 0x1.3b29f20e1bc5dp-7)) *
          (t * t) +
      (t * (r * 0x1.c6b08ab825d33p-5 + 0x1.ebfbe0790d86ep-3) + (r * 0x1.62e42ff0e6ae5p-1 + 1.0));
  return q * (Doubles)((LongWords)sum << 52);
}

}  // namespace vm

#include "vector_math_double.inl"
#include "vector_math_float.inl"

#undef RECURRA_FUSED
#undef RECURRA_NEON
#undef RECURRA_COLD
#undef RECURRA_INLINE
