// Numbers of 8 bits from floats and from exact sums, and back; as recurra.graph.operators computes them, to the bit.

inline Floats some_floats(const float* x, std::size_t count) { return count == lanes ? load(x) : load_part(x, count); }

// Rounds to the nearest whole number, ties to even, within bounds, which are whole numbers; NaN becomes the least.
inline Words whole_within(Floats x, Floats least, Floats most) {
  x = x > least ? x : least;
  x = x < most ? x : most;
  return (Words)(x + splat(0x1.8p23f)) - 0x4b400000u;  // from 2^23 on, floats are whole numbers
}

// Rounds f(i, count) -> Floats, the elements from i on, for all n, adds the zero point, and stores bytes.
template <class Function>
inline void store_whole(std::uint8_t* out, std::size_t n, float zero, bool is_signed, Function f) {
  const Floats least = splat((is_signed ? -128.0f : 0.0f) - zero), most = splat((is_signed ? 127.0f : 255.0f) - zero);
  // Bytes are packed as signed ones.
  const std::uint32_t moved = (std::uint32_t)(std::int32_t)zero - (is_signed ? 0u : 128u);
  const std::uint32_t flip = is_signed ? 0 : 0x80808080u;
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    Words numbers[4];
    RECURRA_UNROLL
    for (std::size_t v = 0; v < 4; ++v) numbers[v] = whole_within(f(i + v * lanes, lanes), least, most) + moved;
    const Words bytes = words_of_bytes(numbers) ^ flip;
    __builtin_memcpy(out + i, &bytes, sizeof bytes);
  }
  if (i == n) return;
  Words numbers[4] = {};
  for (std::size_t v = 0; v < 4 && i + v * lanes < n; ++v) {
    const std::size_t at = i + v * lanes, count = n - at < lanes ? n - at : lanes;
    numbers[v] = whole_within(f(at, count), least, most) + moved;
  }
  const Words bytes = words_of_bytes(numbers) ^ flip;
  __builtin_memcpy(out + i, &bytes, n - i);
}

void quantize(std::uint8_t* out, const float* x, std::size_t n, float scale, float zero, bool is_signed) {
  store_whole(out, n, zero, is_signed,
              [&](std::size_t i, std::size_t count) { return some_floats(x + i, count) / splat(scale); });
}

void dequantize(float* out, const std::uint8_t* x, std::size_t n, float scale, float zero, bool is_signed) {
  for (std::size_t i = 0; i < n; i += lanes) {
    const std::size_t count = n - i < lanes ? n - i : lanes;
    Bytes bytes = {};
    if (count == lanes) __builtin_memcpy(&bytes, x + i, sizeof bytes);
    else __builtin_memcpy(&bytes, x + i, count);
    if (is_signed) bytes ^= (unsigned char)0x80;
    const Floats whole = __builtin_convertvector(__builtin_convertvector(bytes, Ints), Floats);
    const Floats value = (whole - splat(is_signed ? zero + 128 : zero)) * splat(scale);
    if (count == lanes) store(out + i, value);
    else store_part(out + i, value, count);
  }
}

// The lane that choose(Floats, Floats) -> Floats leaves of all.
template <class Choose>
inline float chosen_lane(Floats v, const Choose& choose) {
  RECURRA_UNROLL
  for (std::uint32_t half = lanes / 2; half > 0; half /= 2) {
    Words from;
    for (std::uint32_t l = 0; l < lanes; ++l) from[l] = l ^ half;
    v = choose(v, __builtin_shuffle(v, from));
  }
  return v[0];
}

// Widens a range, which holds 0, until it holds n numbers. Returns whether one of them is NaN, which no range holds.
inline bool widen_range(const float* x, std::size_t n, float* least, float* most) {
  constexpr std::size_t together = 4;
  const auto smaller = [](Floats a, Floats b) { return a < b ? a : b; };
  const auto larger = [](Floats a, Floats b) { return a > b ? a : b; };
  Floats low[together], high[together];
  Ints nan[together] = {};
  for (std::size_t a = 0; a < together; ++a) low[a] = splat(*least), high[a] = splat(*most);
  const auto see = [&](Floats v, std::size_t a) {
    low[a] = smaller(v, low[a]), high[a] = larger(v, high[a]);
    nan[a] |= v != v;
  };
  std::size_t i = 0;
  for (; i + together * lanes <= n; i += together * lanes) {
    RECURRA_UNROLL
    for (std::size_t a = 0; a < together; ++a) see(load(x + i + a * lanes), a);
  }
  for (; i < n; i += lanes) {
    see(i + lanes <= n ? load(x + i) : load_part(x + i, n - i), 0);
  }
  for (std::size_t a = 1; a < together; ++a) {
    low[0] = smaller(low[a], low[0]), high[0] = larger(high[a], high[0]);
    nan[0] |= nan[a];
  }
  *least = chosen_lane(low[0], smaller), *most = chosen_lane(high[0], larger);
  return chosen_lane((Floats)(nan[0] & (Ints)splat(1.0f)), larger) != 0;
}

void range_of(const float* x, std::size_t n, float* least, float* most) { widen_range(x, n, least, most); }

inline Words some_sums(const std::int32_t* sums, std::size_t count) {
  return (Words)some_floats((const float*)sums, count);
}

// The numbers of `count` sums from i on.
inline Floats scaled_at(const Scaling& s, std::size_t i, std::size_t count) {
  Words whole = some_sums(s.sums + i, count);
  if (s.added != nullptr)
    whole += s.added_step == 0 ? Words{} + (std::uint32_t)*s.added : some_sums(s.added + i, count);
  const Floats value = __builtin_convertvector((Ints)whole, Floats);
  if (s.factors == nullptr) return value;
  return apart(value * (s.factor_step == 0 ? splat(*s.factors) : some_floats(s.factors + i, count)));
}

void scale_sums(float* out, std::size_t n, const Scaling& s, const float* bias, std::ptrdiff_t bias_step,
                bool is_rectified) {
  for (std::size_t i = 0; i < n; i += lanes) {
    const std::size_t count = n - i < lanes ? n - i : lanes;
    Floats value = scaled_at(s, i, count);
    if (bias != nullptr) value += bias_step == 0 ? splat(*bias) : some_floats(bias + i, count);
    if (is_rectified) value = value <= Floats{} ? Floats{} : value;  // keeps NaN
    if (count == lanes) store(out + i, value);
    else store_part(out + i, value, count);
  }
}

void round_sums(std::uint8_t* out, std::size_t n, const Scaling& s, float zero, bool is_signed) {
  store_whole(out, n, zero, is_signed, [&](std::size_t i, std::size_t count) { return scaled_at(s, i, count); });
}
