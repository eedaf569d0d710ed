// Elementwise functions on vectors, written once for every target. kernels.inl includes this file in its unnamed namespace,
// after `lanes`, `Floats` and `Doubles`; <immintrin.h> on x86 and <arm_neon.h> on ARM must have been included before that, at file scope.
//
// Every lane runs the same instructions, and a slow path is chosen by a lane's own value: no result depends on the
// neighbours. NaN gives NaN. Nothing here changes or expects a mode of the processor: in its usual one subnormal numbers are
// honoured; in the one that the executor runs kernels in (subnormals.h) they are zeros of their sign, and so are subnormal results.
//
// Largest errors in ulp, measured on x86, not proved. Over all floats: exp and log 1.0, tanh and sigmoid 2.5, softplus 1.8,
// sqrt 0.5. sin and cos: 1.6 to 1e5, 1.9 to 2^20. pow: 0.51, sampled. Doubles, sampled: exp and log 1.0, the rest 2.2.
//
// The coefficients were fitted for this file: Lawson's reweighted least squares, to the smallest maximum of the relative
// error of the whole function on the interval named, then rounded one after the other with the rest fitted again.

#if defined(__SSE2__) && !defined(_IMMINTRIN_H_INCLUDED) && !defined(__IMMINTRIN_H)
#error "include <immintrin.h> at file scope before vector_math.inl"
#endif

// Whether Floats and Doubles are NEON's vectors. Its multiply-add, and all else here, every 64-bit ARM CPU has.
#if defined(__aarch64__) && RECURRA_LANES == 4
#define RECURRA_NEON 1
#else
#define RECURRA_NEON 0
#endif

// Inlined always: a call would spill every vector register, and load each constant again.
#define RECURRA_INLINE __attribute__((always_inline)) inline
// The rare path stays out of the way of the usual one.
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
// The forms with a mask of all lanes are the plain instructions, without GCC 12's false -Wmaybe-uninitialized.
constexpr __mmask16 every = 0xffff;
constexpr __mmask8 every_double = 0xff;
#endif

RECURRA_INLINE Floats splat(float c) { return Floats{} + c; }
RECURRA_INLINE Doubles splat(double c) { return Doubles{} + c; }

RECURRA_INLINE Floats absolute(Floats x) { return (Floats)((Words)x & 0x7fffffffu); }
RECURRA_INLINE Doubles absolute(Doubles x) { return (Doubles)((LongWords)x & 0x7fffffffffffffffu); }

// a * b + c, fused wherever the target has the instruction: without optimisation the compiler fuses nothing by itself,
// and of two products that are added it fuses the one it likes.
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

// Limits that keep a NaN: minps and maxps give their second operand where either is one, fmin and fmax the NaN.
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

// Whether a mask, as comparisons give it, is set in any lane.
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

// The lower and the upper half of x as doubles, and back (rounded once).
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

// sin r and cos r: relative errors 2^-27.7 and 2^-32.6 on |r| <= 0.8.
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

// The lanes that are set in `slow`, from libm.
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

// a^b in double, good to 2^-33 where the result is a float: a a positive float's value, b finite.
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
  const Doubles p = (v * (u * 0x1.29daf4980e21bp-2 + 0x1.46f1a3c0b738dp-2) +
                     (u * 0x1.a61ea6572b151p-2 + 0x1.2776bc41f1b93p-1)) * v +
                    (u * 0x1.ec709dcb68c5ep-1 + 0x1.71547652b7e89p+1);
  Doubles y = b * (e + s * p);
  y = y < -200.0 ? splat(-200.0) : y;  // 2^-200 is 0 as a float, and 2^200 infinite
  y = y > 200.0 ? splat(200.0) : y;
  // 2^(n + r) = 2^n q(r): relative error 2^-34.3 on |r| <= 0.501. The rounder carries the exponent's bias.
  constexpr double rounder = 0x1.8p52 + 1023;
  const Doubles sum = y + rounder;
  const Doubles r = y - (sum - rounder);
  const Doubles t = r * r;
  const Doubles q = (t * (r * 0x1.fde40eb9ac9ffp-17 + 0x1.445ddeac04662p-13) +
                     (r * 0x1.5d8a8b2c4cd1ep-10 + 0x1.3b29f20e1bc5dp-7)) * (t * t) +
                    (t * (r * 0x1.c6b08ab825d33p-5 + 0x1.ebfbe0790d86ep-3) + (r * 0x1.62e42ff0e6ae5p-1 + 1.0));
  return q * (Doubles)((LongWords)sum << 52);
}

}  // namespace vm

// ---- float ----

RECURRA_INLINE Floats vabs(Floats x) { return vm::absolute(x); }

// The smaller and the larger, NaN if either is, as torch.minimum and torch.maximum.
RECURRA_INLINE Floats vmin(Floats a, Floats b) {
  const Floats least = a < b ? a : b;  // b where either is NaN
  return a != a ? a : least;
}
RECURRA_INLINE Floats vmax(Floats a, Floats b) {
  const Floats most = a > b ? a : b;
  return a != a ? a : most;
}

RECURRA_INLINE Floats vsqrt(Floats x) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_maskz_sqrt_ps(vm::every, x);
#elif defined(__AVX__) && RECURRA_LANES == 8
  return _mm256_sqrt_ps(x);
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return _mm_sqrt_ps(x);
#elif RECURRA_NEON
  return vsqrtq_f32(x);
#else
  for (std::size_t lane = 0; lane < lanes; ++lane) x[lane] = __builtin_sqrtf(x[lane]);
  return x;
#endif
}

RECURRA_INLINE Floats vexp(Floats x) {
  x = vm::at_most(vm::at_least(x, -104.0f), 89.0f);  // 0 and infinity already
  const Floats sum = vm::fma(x, vm::log2_e, vm::rounder);
  const Floats n = sum - vm::rounder;
  const Floats y = vm::expm1_reduced(x, n) + 1.0f;
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_maskz_scalef_ps(vm::every, y, n);
#else
  // 2^n in two factors: n may be 128, or so small that 2^n is denormal. Only the last product rounds.
  const Words exponent = (Words)sum - vm::rounder_bits;
  const Words half = (Words)((Ints)exponent >> 1);
  return y * (Floats)((half + 127u) << 23) * (Floats)((exponent - half + 127u) << 23);
#endif
}

RECURRA_INLINE Floats vlog(Floats x) {
  // x = m 2^k with m in [3/4, 3/2): where x is near 1, k is 0 and nothing cancels.
#if defined(__AVX512F__) && RECURRA_LANES == 16
  // These two know denormals, and their results for 0, infinity and negative x lead to the right ones below.
  const Floats m = _mm512_maskz_getmant_ps(vm::every, x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
  const Floats k = (Floats)_mm512_maskz_getexp_ps(vm::every, x) - (Floats)_mm512_maskz_getexp_ps(vm::every, m);
#else
  const Ints small = x < 0x1p-126f;
  const Words bits = (Words)(small ? x * 0x1p23f : x);
  const Words exponent = (Words)((Ints)(bits - 0x3f400000u) >> 23);
  const Floats m = (Floats)(bits - (exponent << 23));
  const Floats k = __builtin_convertvector((Ints)exponent, Floats) - (Floats)((Words)small & 0x41b80000u);  // 23.0f
#endif
  const Floats f = m - 1.0f;
  const Floats y = vm::fma(k, vm::ln2_high, f + vm::fma(k, vm::ln2_low, vm::log1p_tail(f)));
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return y;
#else
  const Floats at_edge = x < 0.0f ? vm::splat(__builtin_nanf("")) : x == 0.0f ? vm::splat(-vm::infinity) : x;
  return ((x > 0.0f) & (x < vm::infinity)) ? y : at_edge;
#endif
}

// (exp(2 |x|) - 1) / (exp(2 |x|) + 1), with x's sign. Both are had from m = exp(2 |x|) - 1, which is accurate near 0 too:
// no terms cancel, and a quotient m / (m + 2) cannot be more than 1.
RECURRA_INLINE Floats vtanh(Floats x) {
  const Floats u = vm::at_most(vm::absolute(x), 10.0f);  // tanh 10 rounds to 1
  constexpr float biased = vm::rounder + 127;            // the sum, shifted, is 2^n
  const Floats sum = vm::fma(u, 2 * vm::log2_e, biased);
  const Floats power = (Floats)((Words)sum << 23);
  const Floats m = vm::fma(vm::expm1_reduced(u + u, sum - biased), power, power - 1.0f);
  return (Floats)((Words)(m / (m + 2.0f)) | ((Words)x & 0x80000000u));
}

// 1 / (1 + exp(-x)), by the exponential that cannot overflow.
RECURRA_INLINE Floats vsigmoid(Floats x) {
  const Floats e = vm::exp_of_negative((Floats)((Words)x | 0x80000000u));
  return (x < 0.0f ? e : vm::splat(1.0f)) / (1.0f + e);
}

// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)).
RECURRA_INLINE Floats vsoftplus(Floats x) {
  const Floats e = vm::exp_of_negative((Floats)((Words)x | 0x80000000u));
  // 1 + e is 1 + f, or 2 (1 + f) for the larger half, with f in [-1/4, 1/2].
  const Ints large = e >= 0.5f;
  const Floats f = large ? (e - 1.0f) * 0.5f : e;
  const Floats low = large ? vm::splat(vm::ln2_low) : Floats{};
  const Floats high = large ? vm::splat(vm::ln2_high) : Floats{};
  return vm::at_least(x, 0.0f) + (high + (f + (low + vm::log1p_tail(f))));
}

RECURRA_INLINE Floats vsin(Floats x) {
  const Floats size = vm::absolute(x);
  Words n;
  const Floats r = vm::quarter_turns(size, n);
  Floats y = (n & 1u) != 0u ? vm::cos_reduced(r) : vm::sin_reduced(r);
  y = (Floats)((Words)y ^ ((n & 2u) << 30) ^ ((Words)x & 0x80000000u));
  const Ints slow = size > vm::most_reduced;
  return vm::any(slow) ? vm::slow_sin(x, y, slow) : y;
}

RECURRA_INLINE Floats vcos(Floats x) {
  const Floats size = vm::absolute(x);
  Words n;
  const Floats r = vm::quarter_turns(size, n);
  Floats y = (n & 1u) != 0u ? vm::sin_reduced(r) : vm::cos_reduced(r);
  y = (Floats)((Words)y ^ (((n + 1u) & 2u) << 30));
  const Ints slow = size > vm::most_reduced;
  return vm::any(slow) ? vm::slow_cos(x, y, slow) : y;
}

// As C's powf.
RECURRA_INLINE Floats vpow(Floats a, Floats b) {
  const Floats size = vm::absolute(a), b_size = vm::absolute(b);
  // These exponents have their own, exact or correctly rounded, operations; usually they fill the vector.
  const Ints square = b == 2.0f, inverse = b == -1.0f, root = b == 0.5f;
  if (!vm::any(~square)) return a * a;
  if (!vm::any(~inverse)) return 1.0f / a;
  const bool short_cut = vm::any(square | inverse | root);
  Floats rooted = a;
  if (short_cut) {
    // powf(-0, 1/2) is +0, and powf(-infinity, 1/2) infinite: unlike the square root's.
    rooted = size == vm::infinity ? size : vsqrt(a + 0.0f);
    if (!vm::any(~root)) return rooted;
  }

  Doubles a_low, a_high, b_low, b_high;
  vm::widen(size, a_low, a_high);
  vm::widen(b, b_low, b_high);
  Floats y = vm::narrow(vm::pow_positive(a_low, b_low), vm::pow_positive(a_high, b_high));

  const Ints finite = (size < vm::infinity) & (b_size < vm::infinity);
  if (vm::any(~((a > 0.0f) & finite))) {
    const Floats at_zero = b > 0.0f ? Floats{} : b < 0.0f ? vm::splat(vm::infinity) : vm::splat(1.0f);
    y = a == 0.0f ? at_zero : y;
    // Adding 2^23 rounds to an integer below 2^23; above are integers only, and from 2^24 on even ones.
    const Ints fraction = (b_size < 0x1p23f) & ((b_size + 0x1p23f) - 0x1p23f != b_size);
    const Floats half = b_size * 0.5f;
    const Ints odd = (b_size < 0x1p24f) & ((half + 0x1p23f) - 0x1p23f != half) & ~fraction;
    y = (Floats)((Words)y | ((Words)a & (Words)odd & 0x80000000u));
    y = ((a < 0.0f) & fraction) ? vm::splat(__builtin_nanf("")) : y;
    if (vm::any(~finite)) y = vm::slow_pow(a, b, y, ~finite);
  }
  if (short_cut) {
    y = square ? a * a : y;
    y = inverse ? 1.0f / a : y;
    y = root ? rooted : y;
  }
  return y;
}

// ---- double ----

namespace vm {

// The float functions' parts in double. The comparisons keep a NaN, and nothing here depends on fusing.
constexpr double rounder_double = 0x1.8p52;
constexpr double ln2_high_double = 0x1.62e42fefap-1, ln2_low_double = 0x1.cf79abc9e3b3ap-40;  // the first has 37 bits
constexpr double log2_e_double = 0x1.71547652b82fep+0;

// q is Chebyshev's interpolation of (exp(r) - 1 - r) / r^2 on |r| <= 0.348: relative error 2^-54.4 in exp(r) - 1.
// Gives r^2 q(r).
RECURRA_INLINE Doubles exp_tail(Doubles x, Doubles n, Doubles& r) {
  r = (x - n * ln2_high_double) - n * ln2_low_double;
  const Doubles square = r * r;
  const Doubles fourth = square * square;
  const Doubles q01 = r * 0x1.5555555555556p-3 + 0.5;
  const Doubles q23 = r * 0x1.1111111110987p-7 + 0x1.5555555553cd3p-5;
  const Doubles q45 = r * 0x1.a01a01a7e6841p-13 + 0x1.6c16c178c3c40p-10;
  const Doubles q67 = r * 0x1.71de0d2924871p-19 + 0x1.a019b83494791p-16;
  const Doubles q89 = r * 0x1.af39e5ac082a8p-26 + 0x1.289286301b0dep-22;
  const Doubles q = (q89 * fourth + (q67 * square + q45)) * fourth + (q23 * square + q01);
  return q * square;
}

}  // namespace vm

RECURRA_INLINE Doubles vexp(Doubles x) {
  x = x < -746.0 ? vm::splat(-746.0) : x;  // 0 and infinity already
  x = x > 710.0 ? vm::splat(710.0) : x;
  const Doubles n = (x * vm::log2_e_double + vm::rounder_double) - vm::rounder_double;
  Doubles r;
  const Doubles tail = vm::exp_tail(x, n, r);
  const Doubles sum = r + 1.0;
  const Doubles y = sum + (tail + (r - (sum - 1.0)));  // with what the first sum lost (Dekker 1971)
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_maskz_scalef_pd(vm::every_double, y, n);
#else
  constexpr double biased = vm::rounder_double + 1023;
  const Doubles half = n * 0.5 + biased;
  const Doubles rest = (n - (half - biased)) + biased;
  return y * (Doubles)((LongWords)half << 52) * (Doubles)((LongWords)rest << 52);
#endif
}

RECURRA_INLINE Doubles vtanh(Doubles x) {
  Doubles u = vm::absolute(x);
  u = u > 20.0 ? vm::splat(20.0) : u;  // tanh 20 rounds to 1
  constexpr double biased = vm::rounder_double + 1023;
  const Doubles sum = u * (2 * vm::log2_e_double) + biased;
  const Doubles power = (Doubles)((LongWords)sum << 52);
  Doubles r;
  const Doubles tail = vm::exp_tail(u + u, sum - biased, r);
  const Doubles m = (tail + r) * power + (power - 1.0);
  Doubles y = m / (m + 2.0);
  // The same, with less of the rounding of m + 2.
  const Doubles half = m * 0.5;
  y = m < 1.0 ? half - half * y : y;
  return (Doubles)((LongWords)y | ((LongWords)x & 0x8000000000000000u));
}

RECURRA_INLINE Doubles vsigmoid(Doubles x) {
  const Doubles e = vexp((Doubles)((LongWords)x | 0x8000000000000000u));
  return (x < 0.0 ? e : vm::splat(1.0)) / (1.0 + e);
}

// The rest one lane at a time, from libm.
#define RECURRA_BY_LANE(name, function)                                                                     \
  inline Doubles name(Doubles x) {                                                                          \
    for (std::size_t lane = 0; lane < vm::double_lanes; ++lane) x[lane] = function(x[lane]);                \
    return x;                                                                                               \
  }
RECURRA_BY_LANE(vlog, __builtin_log)
RECURRA_BY_LANE(vsin, __builtin_sin)
RECURRA_BY_LANE(vcos, __builtin_cos)
#undef RECURRA_BY_LANE

RECURRA_INLINE Doubles vabs(Doubles x) { return vm::absolute(x); }

RECURRA_INLINE Doubles vmin(Doubles a, Doubles b) {
  const Doubles least = a < b ? a : b;
  return a != a ? a : least;
}
RECURRA_INLINE Doubles vmax(Doubles a, Doubles b) {
  const Doubles most = a > b ? a : b;
  return a != a ? a : most;
}

RECURRA_INLINE Doubles vsqrt(Doubles x) {
#if defined(__AVX512F__) && RECURRA_LANES == 16
  return _mm512_maskz_sqrt_pd(vm::every_double, x);
#elif defined(__AVX__) && RECURRA_LANES == 8
  return _mm256_sqrt_pd(x);
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return _mm_sqrt_pd(x);
#elif RECURRA_NEON
  return vsqrtq_f64(x);
#else
  for (std::size_t lane = 0; lane < vm::double_lanes; ++lane) x[lane] = __builtin_sqrt(x[lane]);
  return x;
#endif
}

inline Doubles vsoftplus(Doubles x) {
  Doubles e = vexp(-vm::absolute(x));
  for (std::size_t lane = 0; lane < vm::double_lanes; ++lane) e[lane] = __builtin_log1p(e[lane]);
  return (x > 0.0 ? x : Doubles{}) + e;  // e keeps a NaN
}

inline Doubles vpow(Doubles a, Doubles b) {
  for (std::size_t lane = 0; lane < vm::double_lanes; ++lane) a[lane] = __builtin_pow(a[lane], b[lane]);
  return a;
}

#undef RECURRA_FUSED
#undef RECURRA_NEON
#undef RECURRA_COLD
#undef RECURRA_INLINE
