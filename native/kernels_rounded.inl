// Products of numbers that are rounded to bfloat16, with sums in float32.
//
// A word holds two numbers of consecutive k, or of consecutive rows: the first in its lower half. A word's products are
// added to a sum one after the other, the upper half's first, as AVX512_BF16 and AMX do. A product of two bfloat16 is
// exact in float32, so every such target gives the same bits, be its addition fused or not. ARM's instruction adds the
// two products to each other first, and rounds to odd. Numbers are rounded to nearest, ties to even; subnormal ones
// become zeros of their sign.

constexpr std::size_t chain_words = chain / 2;

// Rounds a number to bfloat16; the result is the upper half of a float.
inline std::uint32_t rounded_bits(float x) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const std::uint32_t exponent = bits & 0x7f800000u;
  if (exponent == 0) return bits & 0x80000000u;
  if (exponent == 0x7f800000u) return (bits & 0x7fffffu) ? (bits & 0xffff0000u) | 0x400000u : bits;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
}

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
// Subnormal numbers become zeros of their sign: the processor's conversion would round them.
inline float32x4_t without_subnormals(Floats x) {
  const Words is_normal = (Words)(((Words)x & 0x7f800000u) != 0u);
  return (float32x4_t)((Words)x & (is_normal | 0x80000000u));
}

// The words of the numbers of two vectors, beside each other.
inline Words rounded_numbers(Floats first, Floats second) {
  return (Words)vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(without_subnormals(first)), without_subnormals(second));
}
#endif

// Lane by lane, the words of two numbers.
inline Words rounded_words(Floats first, Floats second) {
#if defined(__AVX512BF16__)
  constexpr short order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                               8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  __m512i index;
  __builtin_memcpy(&index, order, sizeof index);
  return (Words)_mm512_permutexvar_epi16(index, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
  return (Words)vzip1q_u16((uint16x8_t)rounded_numbers(first, first), (uint16x8_t)rounded_numbers(second, second));
#else
  Words words;
  for (std::size_t l = 0; l < lanes; ++l) words[l] = rounded_bits(first[l]) >> 16 | rounded_bits(second[l]);
  return words;
#endif
}

// The words of `length` numbers beside each other; the upper half of an incomplete last word is zero.
inline void round_row(std::uint32_t* words, const float* row, std::size_t length) {
  std::size_t i = 0;
#if defined(__AVX512BF16__)
  for (; i < length; i += 32) {
    const std::size_t left = length - i, low = left < 16 ? left : 16, high = left < 16 ? 0 : left < 32 ? left - 16 : 16;
    const Floats first = load_part(row + i, low), second = load_part(row + i + low, high);
    const Words both = (Words)(__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    _mm512_mask_storeu_epi32(words + i / 2, (__mmask16)((1u << (low + high + 1) / 2) - 1u), (__m512i)both);
  }
#else
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
  for (; i + 2 * lanes <= length; i += 2 * lanes) {
    store((float*)words + i / 2, (Floats)rounded_numbers(load(row + i), load(row + i + lanes)));
  }
#endif
  for (; i + 1 < length; i += 2) words[i / 2] = rounded_bits(row[i]) >> 16 | rounded_bits(row[i + 1]);
  if (i < length) words[i / 2] = rounded_bits(row[i]) >> 16;
#endif
}

// Adds the products of two words to a sum.
inline Floats add_products(Floats sum, Words a, Words b) {
#if defined(__AVX512BF16__)
  return (Floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
  return (Floats)vbfdotq_f32((float32x4_t)sum, (bfloat16x8_t)a, (bfloat16x8_t)b);
#else
  sum += (Floats)(a & 0xffff0000u) * (Floats)(b & 0xffff0000u);
  sum += (Floats)(a << 16) * (Floats)(b << 16);
  return sum;
#endif
}

// Packs one panel, a few rows at a time.
inline void pack_rounded(float* panel, std::size_t k_count, const Source<float>* sources, std::size_t vectors) {
  constexpr std::size_t together = 32;  // a multiple of the lanes, so that they are transposed in registers
  float wide[together * panel_vectors * lanes];
  Source<float> from[panel_vectors];
  const std::size_t width = vectors * lanes;
  for (std::size_t k = 0; k < k_count; k += together) {
    const std::size_t count = k_count - k < together ? k_count - k : together;
    for (std::size_t v = 0; v < vectors; ++v) {
      from[v] = sources[v];
      from[v].base += (std::ptrdiff_t)k * sources[v].row_stride;
    }
    pack<float>(wide, count, from, vectors);
    for (std::size_t row = 0; row < count; row += 2, panel += width) {
      for (std::size_t at = 0; at < width; at += lanes) {
        const Floats second = row + 1 < count ? load((const float*)wide + (row + 1) * width + at) : Floats{};
        store(panel + at, (Floats)rounded_words(load((const float*)wide + row * width + at), second));
      }
    }
  }
}

// Computes one chain of R rows times P panels of N vectors each, like tile().
template <int R, int N, int P>
inline void rounded_tile(const float* const* a, std::size_t row, std::size_t begin, std::size_t length,
                         const PanelRows<float, Form::rounded, N>& matrix, const Column<float>* columns) {
  std::uint32_t words[R][chain_words];
  for (int r = 0; r < R; ++r) round_row(words[r], a[row + r] + begin, length);
  Floats sums[R][N * P] = {};
  for (std::size_t k = 0; k < (length + 1) / 2; ++k) {
    Words b[N * P];
    RECURRA_UNROLL
    for (int v = 0; v < N * P; ++v) b[v] = (Words)matrix.words(2 * k, v);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const Words x = Words{} + words[r][k];
      RECURRA_UNROLL
      for (int v = 0; v < N * P; ++v) sums[r][v] = add_products(sums[r][v], x, b[v]);
    }
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < N * P; ++v) finish(columns[v], row + r, begin == 0, sums[r][v]);
  }
}

// ---- sums over rows of outer products ----

constexpr std::size_t rounded_strand = 64;    // the rows of a sum that stays in registers
constexpr std::size_t rounded_features = 96;  // the rows of a result that are computed together

// Rounds features of some rows; a word holds those of two rows.
inline void round_rows(std::uint32_t* words, std::size_t stride, const float* const* a, std::size_t rows,
                       std::size_t from, std::size_t width) {
  for (std::size_t row = 0; row < rows; row += 2, words += stride) {
    for (std::size_t i = 0; i < width; i += lanes) {
      const std::size_t count = width - i < lanes ? width - i : lanes;
      const Floats first = load_part(a[row] + from + i, count);
      const Floats second = row + 1 < rows ? load_part(a[row + 1] + from + i, count) : Floats{};
      store((float*)words + i, (Floats)rounded_words(first, second));
    }
  }
}

// The sums of one strand for R features and N vectors; with `more`, they are added to those of the strands before.
template <int R, int N>
inline void rounded_strand_tile(Floats (*total)[N], const std::uint32_t* left, const std::uint32_t* right,
                                std::size_t words, bool more) {
  Floats sums[R][N] = {};
  for (std::size_t w = 0; w < words; ++w, left += rounded_features, right += N * lanes) {
    Words b[N];
    RECURRA_UNROLL
    for (int v = 0; v < N; ++v) b[v] = (Words)load((const float*)right + v * lanes);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const Words x = Words{} + left[r];
      RECURRA_UNROLL
      for (int v = 0; v < N; ++v) sums[r][v] = add_products(sums[r][v], x, b[v]);
    }
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < N; ++v) total[r][v] = more ? total[r][v] + sums[r][v] : sums[r][v];
  }
}

template <int N>
inline void rounded_outer_panel(float* c, std::ptrdiff_t c_stride, const float* const* a, const float* const* b,
                                std::size_t rows, std::size_t k, std::size_t j, bool more) {
  std::uint32_t left[rounded_strand / 2 * rounded_features], right[rounded_strand / 2 * N * lanes];
  Floats total[rounded_features][N];
  for (std::size_t i = 0; i < k; i += rounded_features) {
    const std::size_t width = k - i < rounded_features ? k - i : rounded_features;
    std::size_t row = 0;
    do {
      const std::size_t count = rows - row < rounded_strand ? rows - row : rounded_strand;
      round_rows(left, rounded_features, a + row, count, i, width);
      round_rows(right, N * lanes, b + row, count, j, N * lanes);
      each_tile<tile_rows>(width, [&]<int R>(std::size_t at) {
        rounded_strand_tile<R, N>(total + at, left + at, right, (count + 1) / 2, row != 0);
      });
      row += count;
    } while (row < rows);
    for (std::size_t r = 0; r < width; ++r) {
      float* out = c + (std::ptrdiff_t)(i + r) * c_stride + j;
      for (int v = 0; v < N; ++v, out += lanes) store(out, more ? load((const float*)out) + total[r][v] : total[r][v]);
    }
  }
}

// Routines::outer of rounded numbers.
inline void outer_rounded(float* c, std::ptrdiff_t c_stride, const float* const* a, const float* const* b,
                          std::size_t rows, std::size_t k, std::size_t vectors, bool more) {
  constexpr std::size_t V = panel_vectors;
  std::size_t v = 0;
  for (; v + V <= vectors; v += V) rounded_outer_panel<(int)V>(c, c_stride, a, b, rows, k, v * lanes, more);
  if constexpr (V > 3) {
    if (vectors - v == 3) return rounded_outer_panel<3>(c, c_stride, a, b, rows, k, v * lanes, more);
  }
  if constexpr (V > 2) {
    if (vectors - v == 2) return rounded_outer_panel<2>(c, c_stride, a, b, rows, k, v * lanes, more);
  }
  if (vectors - v == 1) rounded_outer_panel<1>(c, c_stride, a, b, rows, k, v * lanes, more);
}

// Rounded numbers take no short cut around packing.
inline bool multiply_nothing(const float* const*, std::size_t, std::size_t, const Source<float>*, const Column<float>*,
                             std::size_t) {
  return false;
}
