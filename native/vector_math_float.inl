// The functions of vector_math.inl on floats.

RECURRA_INLINE Floats vabs(Floats x) { return vm::absolute(x); }

// The smaller and the larger; NaN if either is NaN, as in torch.minimum and torch.maximum.
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
  x = vm::at_most(vm::at_least(x, -104.0f), 89.0f);  // these give 0 and infinity
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
  // These two honour denormals; their results for 0, infinity and negative x lead to the right ones below.
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

// (exp(2 |x|) - 1) / (exp(2 |x|) + 1), with the sign of x. Both follow from m = exp(2 |x|) - 1, which is accurate near
// 0 too: no terms cancel, and the quotient m / (m + 2) cannot exceed 1.
RECURRA_INLINE Floats vtanh(Floats x) {
  const Floats u = vm::at_most(vm::absolute(x), 10.0f);  // tanh 10 rounds to 1
  constexpr float biased = vm::rounder + 127;            // the sum, shifted, is 2^n
  const Floats sum = vm::fma(u, 2 * vm::log2_e, biased);
  const Floats power = (Floats)((Words)sum << 23);
  const Floats m = vm::fma(vm::expm1_reduced(u + u, sum - biased), power, power - 1.0f);
  return (Floats)((Words)(m / (m + 2.0f)) | ((Words)x & 0x80000000u));
}

// 1 / (1 + exp(-x)), with an exponential that cannot overflow.
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

// A polynomial in x^2 up to 1; beyond, 1 - exp(-q(|x|)).
RECURRA_INLINE Floats verf(Floats x) {
  const Floats u = vm::at_most(vm::absolute(x), 4.0f);  // erf 4 rounds to 1
  const Floats square = u * u;
  const Floats fourth = square * square;
  // erf u = u + u p(u^2): relative error 2^-29.3 on [0, 1].
  const Floats p01 = vm::fma(square, -0x1.81273ep-2f, 0x1.06eba8p-3f);
  const Floats p23 = vm::fma(square, -0x1.b7f76ap-6f, 0x1.ce2ce8p-4f);
  const Floats p45 = vm::fma(square, -0x1.a37712p-11f, 0x1.53f6p-8f);
  const Floats p = vm::fma(fourth, vm::fma(fourth, 0x1.47f15cp-14f, p45), p23);
  const Floats up = u * 0x1p24f;  // no product is subnormal unless the sum is
  const Floats near = vm::fma(up, vm::fma(fourth, p, p01), up) * 0x1p-24f;
  // erf u = 1 - exp(-q(u)): relative error 2^-29.2 on [1, 4].
  const Floats q01 = vm::fma(u, 0x1.2088f2p+0f, 0x1.65fbaap-12f);
  const Floats q23 = vm::fma(u, 0x1.a653e8p-4f, 0x1.46bad4p-1f);
  const Floats q45 = vm::fma(u, 0x1.825d4ap-9f, -0x1.65ccaap-6f);
  const Floats q = vm::fma(square, vm::fma(square, -0x1.86e12cp-13f, q45), q23);
  const Floats far = 1.0f - vm::exp_of_negative(-vm::fma(square, q, q01));
  return (Floats)((Words)(u > 1.0f ? far : near) | ((Words)x & 0x80000000u));
}

// Floor: the nearest whole number, or the one below it. From 2^23 on, all floats are whole numbers. NaN stays.
RECURRA_INLINE Floats vfloor(Floats x) {
  const Floats size = vm::absolute(x);
  const Floats nearest = (Floats)((Words)((size + 0x1p23f) - 0x1p23f) | ((Words)x & 0x80000000u));
  const Floats below = nearest > x ? nearest - 1.0f : nearest;
  return size < 0x1p23f ? below : x;
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

// Powers with the special cases of C's powf.
RECURRA_INLINE Floats vpow(Floats a, Floats b) {
  const Floats size = vm::absolute(a), b_size = vm::absolute(b);
  // These exponents have operations of their own, exact or correctly rounded. Usually one fills the vector.
  const Ints square = b == 2.0f, inverse = b == -1.0f, root = b == 0.5f;
  if (!vm::any(~square)) return a * a;
  if (!vm::any(~inverse)) return 1.0f / a;
  const bool short_cut = vm::any(square | inverse | root);
  Floats rooted = a;
  if (short_cut) {
    // Unlike the square root, powf(-0, 1/2) is +0, and powf(-infinity, 1/2) is infinite.
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
    // Below 2^23, adding 2^23 rounds to an integer. From there on, all floats are integers, and even from 2^24 on.
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
