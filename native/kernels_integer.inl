// Products of whole numbers of 8 bits, with exact sums of 32 bits.
//
// A word holds four numbers of consecutive k, the first in its lowest bits: those of a row are unsigned, those of a
// packed matrix signed. Sums are exact, so that every order and every instruction gives the same bits. A panel is
// followed by one row of words that holds the scales of its columns, then, for each chain, by one row with the sums
// of its columns, and by one that tells whether its numbers are narrow. Numbers of rows are offset: by `offset`, as they
// must be unsigned, and by their zero points.

typedef unsigned char Bytes __attribute__((vector_size(RECURRA_LANES)));
typedef short Shorts __attribute__((vector_size(RECURRA_LANES * 4)));

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD) || defined(RECURRA_EMULATES_VNNI)
#define RECURRA_FOUR_PRODUCTS            // one step multiplies and adds up the four numbers of a word
constexpr std::size_t row_parts = 1;     // words of a row for each word of a column
constexpr std::size_t integer_rows = 6;  // of a tile
#else
constexpr std::size_t row_parts = 2;  // those of even k, then those of odd k, each in 16 bits
constexpr std::size_t integer_rows = lanes == 16 ? 5 : 4;
#endif
constexpr std::size_t integer_memory = 24576;  // words for rows; at least two rows of a chain
constexpr std::size_t most_integer_rows = 64;  // that go through all panels together
#ifdef RECURRA_TILES
constexpr std::size_t full_rows = tile_side;
#else
constexpr std::size_t full_rows = 1;
#endif

// Adds the products of two pairs of signed numbers of 16 bits.
inline Words add_pairs(Words sum, std::uint32_t row, Shorts column) {
  const Words both = Words{} + row;
#if defined(__AVX512F__)
  return sum + (Words)_mm512_madd_epi16((__m512i)both, (__m512i)column);
#elif defined(__AVX2__) && RECURRA_LANES == 8
  return sum + (Words)_mm256_madd_epi16((__m256i)both, (__m256i)column);
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return sum + (Words)_mm_madd_epi16((__m128i)both, (__m128i)column);
#else
  return sum + (Words)((Ints)(both << 16) >> 16) * (Words)((Ints)((Words)column << 16) >> 16) +
         (Words)((Ints)both >> 16) * (Words)((Ints)column >> 16);
#endif
}

// The numbers of even and odd k in a column's word, each in 16 bits.
inline Shorts even_numbers(Words column) { return (Shorts)(((Shorts)column << 8) >> 8); }
inline Shorts odd_numbers(Words column) { return (Shorts)((Shorts)column >> 8); }

#ifdef RECURRA_FOUR_PRODUCTS
// Adds, to each lane of a sum, the products of four unsigned numbers and four signed ones.
inline Words add_four_products(Words sum, Words whole, Words integers) {
#if defined(__AVX512VNNI__)
  return (Words)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)whole, (__m512i)integers);
#elif defined(__AVXVNNI__)
  return (Words)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)whole, (__m256i)integers);
#elif defined(__ARM_FEATURE_MATMUL_INT8)
  return (Words)vusdotq_s32((int32x4_t)sum, (uint8x16_t)whole, (int8x16_t)integers);
#elif defined(__ARM_FEATURE_DOTPROD)
  // Both sides are signed here, so 128 is taken from one and its products are added again, as 64 twice.
  const int8x16_t half = vdupq_n_s8(64), less = (int8x16_t)(whole ^ 0x80808080u);
  int32x4_t total = vdotq_s32((int32x4_t)sum, less, (int8x16_t)integers);
  for (int i = 0; i < 2; ++i) total = vdotq_s32(total, half, (int8x16_t)integers);
  return (Words)total;
#else
  for (std::size_t l = 0; l < lanes; ++l) {
    for (int j = 0; j < 4; ++j) {
      sum[l] += (std::uint32_t)((int)(whole[l] >> 8 * j & 0xffu) * (int)(signed char)(integers[l] >> 8 * j & 0xffu));
    }
  }
  return sum;
#endif
}
#endif

// Adds, to each lane of a sum, the products of the four numbers of a row's word and those of a column's word.
inline Words add_integers(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
#ifdef RECURRA_FOUR_PRODUCTS
  (void)odd;
  return add_four_products(sum, Words{} + *row, column);
#else
  return add_pairs(add_pairs(sum, row[0], even_numbers(column)), row[odd], odd_numbers(column));
#endif
}

// Stores a vector of words of a row, in the parts that add_integers() takes.
inline void store_row_words(std::uint32_t* row, std::size_t odd, Words words) {
  if constexpr (row_parts == 1) {
    store((float*)row, (Floats)words);
  } else {
    store((float*)row, (Floats)(words & 0x00ff00ffu));
    store((float*)(row + odd), (Floats)(words >> 8 & 0x00ff00ffu));
  }
}

#if defined(__AVX2__) && RECURRA_LANES == 8 && !defined(RECURRA_FOUR_PRODUCTS)
// Rounded numbers of rows have three parts: their magnitudes, all bits of those below zero, and all numbers plus 128. The
// sign moves to the column's numbers, so that the sum of two products fits into 16 bits, and four are one instruction
// more. A number's complement, -x - 1, stands for -x: `vpsignb`, which negates, is slower beside products. So a
// sum lacks the magnitudes of the row's numbers below zero, whatever the column.
constexpr std::uint32_t offset = 0;
constexpr std::size_t rounded_parts = 3;
constexpr bool has_complements = true;

inline Words add_four_rounded(Words sum, std::uint32_t row, Words column) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32((int)row), (__m256i)column);
  return sum + (Words)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

inline Words add_rounded(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
  return add_four_rounded(sum, row[0], column ^ row[odd]);
}

// Beside narrow columns the sum of two products with numbers from 0 to 255 fits into 16 bits, so that no sign moves.
constexpr bool has_narrow = true;

inline Words add_to_narrow(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
  return add_four_rounded(sum, row[2 * odd], column);
}

// Returns parts of the sum of the magnitudes of numbers below zero.
inline Words store_rounded(std::uint32_t* row, std::size_t odd, Words numbers) {
  const __m256i magnitudes = _mm256_abs_epi8((__m256i)numbers), zero = _mm256_setzero_si256();
  const __m256i below = _mm256_cmpgt_epi8(zero, (__m256i)numbers);
  store((float*)row, (Floats)magnitudes);
  store((float*)(row + odd), (Floats)below);
  store((float*)(row + 2 * odd), (Floats)(numbers ^ 0x80808080u));
  return (Words)_mm256_sad_epu8(_mm256_and_si256(magnitudes, below), zero);
}
#elif defined(__ARM_FEATURE_DOTPROD)
// Numbers of both sides are signed as they are.
constexpr std::uint32_t offset = 0;
constexpr std::size_t rounded_parts = 1;
constexpr bool has_complements = false, has_narrow = false;

inline Words add_rounded(Words sum, const std::uint32_t* row, std::size_t, Words column) {
  return (Words)vdotq_s32((int32x4_t)sum, (int8x16_t)(Words{} + *row), (int8x16_t)column);
}

inline Words add_to_narrow(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
  return add_rounded(sum, row, odd, column);
}

inline Words store_rounded(std::uint32_t* row, std::size_t, Words numbers) {
  store((float*)row, (Floats)numbers);
  return Words{};
}
#else
constexpr std::uint32_t offset = 128;
constexpr std::size_t rounded_parts = row_parts;
constexpr bool has_complements = false, has_narrow = false;

inline Words add_rounded(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
  return add_integers(sum, row, odd, column);
}

inline Words add_to_narrow(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
  return add_integers(sum, row, odd, column);
}

inline Words store_rounded(std::uint32_t* row, std::size_t odd, Words numbers) {
  store_row_words(row, odd, numbers ^ 0x80808080u);
  return Words{};
}
#endif

// What words of rows and columns hold: whole numbers as they are; rounded ones; or rounded rows beside narrow columns.
enum class Numbers { whole, rounded, beside_narrow };

template <Numbers Kind>
inline Words add_numbers(Words sum, const std::uint32_t* row, std::size_t odd, Words column) {
  if constexpr (Kind == Numbers::whole) return add_integers(sum, row, odd, column);
  else if constexpr (Kind == Numbers::rounded) return add_rounded(sum, row, odd, column);
  else return add_to_narrow(sum, row, odd, column);
}

// Computes the sums of R rows times P panels of N vectors each. Words of a row are `row_stride` apart, its parts `odd`.
template <Numbers Kind, int R, int N, int P>
inline void integer_sums(Words (*sums)[N * P], const std::uint32_t* rows, std::size_t row_stride, std::size_t odd,
                         std::size_t words, const float* panels, std::size_t panel_size) {
  Words totals[R][N * P] = {};
  for (std::size_t k = 0; k < words; ++k) {
    Words b[N * P];
    RECURRA_UNROLL
    for (int v = 0; v < N * P; ++v) {
      b[v] = (Words)load(panels + (v / N) * panel_size + (k * N + v % N) * lanes);
    }
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      RECURRA_UNROLL
      for (int v = 0; v < N * P; ++v) {
        totals[r][v] = add_numbers<Kind>(totals[r][v], rows + r * row_stride + k, odd, b[v]);
      }
    }
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < N * P; ++v) sums[r][v] = totals[r][v];
  }
}

// Stores words; with `more`, adds them to those that are there.
inline void add_words(std::int32_t* out, Words words, bool more) {
  store((float*)out, (Floats)(more ? (Words)load((const float*)out) + words : words));
}
