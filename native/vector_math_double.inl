// The functions of vector_math.inl on doubles.

namespace vm {

// The parts of the float functions, in double. Comparisons keep NaN, and nothing here depends on fusing.
constexpr double rounder_double = 0x1.8p52;
constexpr double ln2_high_double = 0x1.62e42fefap-1, ln2_low_double = 0x1.cf79abc9e3b3ap-40;  // the first has 37 bits
constexpr double log2_e_double = 0x1.71547652b82fep+0;

// q is Chebyshev's interpolation of (exp(r) - 1 - r) / r^2 on |r| <= 0.348: relative error 2^-54.4 in exp(r) - 1.
// Returns r^2 q(r).
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
  x = x < -746.0 ? vm::splat(-746.0) : x;  // these give 0 and infinity
  x = x > 710.0 ? vm::splat(710.0) : x;
  const Doubles n = (x * vm::log2_e_double + vm::rounder_double) - vm::rounder_double;
  Doubles r;
  const Doubles tail = vm::exp_tail(x, n, r);
  const Doubles sum = r + 1.0;
  const Doubles y = sum + (tail + (r - (sum - 1.0)));  // with the rounding error of the first sum (Dekker 1971)
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
  // The same, with less rounding error from m + 2.
  const Doubles half = m * 0.5;
  y = m < 1.0 ? half - half * y : y;
  return (Doubles)((LongWords)y | ((LongWords)x & 0x8000000000000000u));
}

RECURRA_INLINE Doubles vsigmoid(Doubles x) {
  const Doubles e = vexp((Doubles)((LongWords)x | 0x8000000000000000u));
  return (x < 0.0 ? e : vm::splat(1.0)) / (1.0 + e);
}

// The other functions take one lane at a time, from libm.
#define RECURRA_BY_LANE(name, function)                                                      \
  inline Doubles name(Doubles x) {                                                           \
    for (std::size_t lane = 0; lane < vm::double_lanes; ++lane) x[lane] = function(x[lane]); \
    return x;                                                                                \
  }
RECURRA_BY_LANE(vlog, __builtin_log)
RECURRA_BY_LANE(vsin, __builtin_sin)
RECURRA_BY_LANE(vcos, __builtin_cos)
RECURRA_BY_LANE(verf, __builtin_erf)
#undef RECURRA_BY_LANE

RECURRA_INLINE Doubles vabs(Doubles x) { return vm::absolute(x); }

RECURRA_INLINE Doubles vfloor(Doubles x) {
  const Doubles size = vm::absolute(x);
  const Doubles nearest = (Doubles)((LongWords)((size + 0x1p52) - 0x1p52) | ((LongWords)x & 0x8000000000000000u));
  const Doubles below = nearest > x ? nearest - 1.0 : nearest;
  return size < 0x1p52 ? below : x;
}

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
  return (x > 0.0 ? x : Doubles{}) + e;  // e keeps NaN
}

inline Doubles vpow(Doubles a, Doubles b) {
  for (std::size_t lane = 0; lane < vm::double_lanes; ++lane) a[lane] = __builtin_pow(a[lane], b[lane]);
  return a;
}
