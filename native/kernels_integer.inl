// Products of whole numbers of 8 bits, with exact sums of 32 bits, of floats that are rounded to such numbers.
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
// more. A number's complement, -x - 1, stands for -x: `vpsignb`, which negates, runs on the units that multiply. So a
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

// ---- floats rounded to whole numbers ----

// Keeps a multiplication apart from an addition behind it: where one instruction does both, bits would differ.
inline Floats apart(Floats x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#elif defined(__SSE2__) && RECURRA_LANES <= 8
  asm("" : "+x"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#else
  asm("" : "+m"(x));
#endif
  return x;
}

// Rounds x times an inverse scale to the nearest whole number, ties to even, which is added to 0x4b400000.
inline Words whole_numbers(Floats x, Floats inverse) {
  return (Words)(apart(x * inverse) + splat(0x1.8p23f));  // from 2^23 on, floats are whole numbers
}

// The four numbers of each word, from four vectors of numbers from -128 to 127.
inline Words words_of_bytes(const Words* numbers) {
#if defined(__AVX512F__)
  __m128i parts[4];
  RECURRA_UNROLL
  for (int i = 0; i < 4; ++i) parts[i] = _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)numbers[i]);
  Words words;
  __builtin_memcpy(&words, parts, sizeof words);
  return words;
#elif defined(__AVX2__) && RECURRA_LANES == 8
  const __m256i low = _mm256_packs_epi32((__m256i)numbers[0], (__m256i)numbers[1]);
  const __m256i high = _mm256_packs_epi32((__m256i)numbers[2], (__m256i)numbers[3]);
  return (Words)_mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#elif defined(__SSE2__) && RECURRA_LANES == 4
  return (Words)_mm_packs_epi16(_mm_packs_epi32((__m128i)numbers[0], (__m128i)numbers[1]),
                                _mm_packs_epi32((__m128i)numbers[2], (__m128i)numbers[3]));
#elif defined(__aarch64__)
  const uint16x8_t low = vuzp1q_u16((uint16x8_t)numbers[0], (uint16x8_t)numbers[1]);
  const uint16x8_t high = vuzp1q_u16((uint16x8_t)numbers[2], (uint16x8_t)numbers[3]);
  return (Words)vuzp1q_u8((uint8x16_t)low, (uint8x16_t)high);
#else
  Bytes parts[4];
  RECURRA_UNROLL
  for (int i = 0; i < 4; ++i) parts[i] = __builtin_convertvector(numbers[i], Bytes);
  Words words;
  __builtin_memcpy(&words, parts, sizeof words);
  return words;
#endif
}

// The scale of numbers, and its inverse; from the bits of the largest magnitude.
struct Scale {
  float scale, inverse;
};

inline Scale scale_of_bits(std::uint32_t bits) {
  if (bits >= 0x7f800000u) return {__builtin_nanf(""), 0};  // infinite, or not a number
  float most;
  __builtin_memcpy(&most, &bits, sizeof most);
  if (most < 0x1p-100f) return {0, 0};  // its inverse would be too large
  return {most / 127, 127 / most};
}

inline Ints larger_bits(Ints a, Floats x) {
  const Ints b = (Ints)((Words)x & 0x7fffffffu);
  return a > b ? a : b;
}

inline Scale scale_of_row(const float* row, std::size_t k_count) {
  Ints most[4] = {};
  std::size_t k = 0;
  for (; k + 4 * lanes <= k_count; k += 4 * lanes) {
    RECURRA_UNROLL
    for (std::size_t i = 0; i < 4; ++i) most[i] = larger_bits(most[i], load(row + k + i * lanes));
  }
  for (; k < k_count; k += lanes) {
    most[0] = larger_bits(most[0], load_part(row + k, k_count - k < lanes ? k_count - k : lanes));
  }
  for (std::size_t i = 1; i < 4; ++i) most[0] = most[0] > most[i] ? most[0] : most[i];
  int all = 0;
  for (std::size_t l = 0; l < lanes; ++l) all = most[0][l] > all ? most[0][l] : all;
  return scale_of_bits((std::uint32_t)all);
}

// Rounds `length` numbers of a row by round(Floats) -> Words, numbers from -128 to 127; a last word that is not full is
// filled up with any numbers. Returns what sums of products lack, if they have complements.
template <class Round>
inline std::uint32_t round_to_integers(std::uint32_t* words, std::size_t odd, const float* row, std::size_t length,
                                       const Round& round) {
  Words lacking = {};
  for (std::size_t k = 0; k < length; k += 4 * lanes) {
    Words numbers[4];
    RECURRA_UNROLL
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t at = k + i * lanes, left = at < length ? length - at : 0;
      const Floats x = left >= lanes ? load(row + at) : left == 0 ? Floats{} : load_part(row + at, left);
      numbers[i] = round(x);
    }
    Words bytes = words_of_bytes(numbers);
    if (has_complements && k + 4 * lanes > length) {  // words behind the last one are not multiplied
      for (std::size_t l = (length - k + 3) / 4; l < lanes; ++l) bytes[l] = 0;
    }
    lacking += store_rounded(words + k / 4, odd, bytes);
  }
  std::uint32_t all = 0;
  for (std::size_t l = 0; has_complements && l < lanes; ++l) all += lacking[l];
  return all;
}

// The places of rows of k numbers in integer_memory, of so many parts.
struct RowPlaces {
  std::size_t part, stride;  // words of a part of a row, and of all of its parts
  std::size_t together;      // the number of rows

  RowPlaces(std::size_t k, std::size_t parts) {
    const std::size_t longest = k < integer_chain ? k : integer_chain;
    part = (longest + 4 * lanes - 1) / (4 * lanes) * lanes, stride = part * parts;
    const std::size_t fitting = stride == 0 ? most_integer_rows : integer_memory / stride;
    together = fitting < most_integer_rows ? fitting : most_integer_rows;
    if (together > full_rows) together -= together % full_rows;
  }
};

// The rows of a chain, rounded.
struct IntegerRows {
  const std::uint32_t* words;
  std::size_t stride, odd, count;  // words from row to row and between the parts of a row; the words of a part
  const float* scales;
  const std::uint32_t* offsets;  // of each row's numbers; null: `offset`
  const std::uint32_t* lacking;  // what is added to the sums of each row, if they have complements
  std::size_t first;             // the number of the first row
  std::size_t begin;             // the k of the chain's beginning
};

// The end of the sums of one vector of columns, from what the panel holds of it.
struct IntegerColumn {
  Floats scale;
  Words numbers;  // their sum

  IntegerColumn(const float* panel, std::size_t k_count, std::size_t begin, int panel_size, int vector) {
    const float* end = panel + ((k_count + 3) / 4 * panel_size + vector) * lanes;
    scale = load(end);
    numbers = (Words)load(end + (1 + begin / integer_chain) * panel_size * lanes);
  }

  // The product that row `row` has in its words and this column, from their sum.
  Floats product(Words sum, const IntegerRows& rows, std::size_t row, bool is_narrow = false) const {
    if (has_complements && !is_narrow) sum += rows.lacking[row];
    sum -= numbers * (rows.offsets == nullptr ? offset : rows.offsets[row] + (is_narrow ? 128 : 0));
    return apart(__builtin_convertvector((Ints)sum, Floats) * (splat(rows.scales[row]) * scale));
  }
};

// Computes one chain of R rows times P panels of N vectors each, from row `row` of `rows` on.
template <int R, int N, int P>
inline void integer_tile(const IntegerRows& rows, std::size_t row, const float* panels, std::size_t k_count,
                         const Column<float>* columns) {
  const std::size_t panel_size = words_of(Form::integer, k_count) * N * lanes;
  Words sums[R][N * P];
  const std::uint32_t* words = rows.words + row * rows.stride;
  const float* from = panels + rows.begin / 4 * N * lanes;
  bool is_narrow = has_narrow && rows.offsets != nullptr;
  for (int p = 0; is_narrow && p < P; ++p) is_narrow = panels[(std::size_t)(p + 1) * panel_size - 1] != 0;
  if (is_narrow) {
    integer_sums<Numbers::beside_narrow, R, N, P>(sums, words, rows.stride, rows.odd, rows.count, from, panel_size);
  } else {
    integer_sums<Numbers::rounded, R, N, P>(sums, words, rows.stride, rows.odd, rows.count, from, panel_size);
  }
  RECURRA_UNROLL
  for (int v = 0; v < N * P; ++v) {
    const IntegerColumn column(panels + (v / N) * panel_size, k_count, rows.begin, N, v % N);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const std::size_t at = row + (std::size_t)r;
      finish(columns[v], rows.first + at, rows.begin == 0, column.product(sums[r][v], rows, at, is_narrow));
    }
  }
}

#ifdef RECURRA_TILES
#include "kernels_integer_tiles.inl"
#endif

// Multiplies rounded rows by all vectors.
inline void multiply_rounded_rows(const IntegerRows& rows, std::size_t count, std::size_t k, const float* panels,
                                  const Column<float>* columns, std::size_t vectors) {
  constexpr int V = panel_vectors;
  constexpr int P = 8 / V;  // a single row needs enough sums in flight to hide the latency of an addition
  const auto from = [&](std::size_t v) { return panels + words_of(Form::integer, k) * v * lanes; };
#ifdef RECURRA_TILES
  if (fills_tiles(count, rows.stride)) return multiply_rounded_tiles(rows, count, k, panels, columns, vectors);
#endif
  std::size_t v = 0;
  if (count == 1) {
    for (; v + V * P <= vectors; v += V * P) integer_tile<1, V, P>(rows, 0, from(v), k, columns + v);
  }
  each_width(vectors - v, [&]<int N>(std::size_t at) {
    const float* panel = from(v + at);
    each_tile<integer_rows>(
        count, [&]<int R>(std::size_t row) { integer_tile<R, N, 1>(rows, row, panel, k, columns + v + at); });
  });
}

// Multiplies rows that a Rounding rounds: it looks at row r with see(), and then rounds parts of it with round().
template <class Rounding>
inline void multiply_roundings(const float* const* a, std::size_t rows, std::size_t k, const Packed<float>& matrix,
                               const Column<float>* columns, std::size_t vectors) {
  std::uint32_t words[integer_memory + 2 * lanes], lacking[most_integer_rows];
  Rounding rounding;
  const auto [part, stride, together] = RowPlaces(k, rounded_parts);
  for (std::size_t first = 0; first < rows; first += together) {
    const std::size_t count = rows - first < together ? rows - first : together;
    for (std::size_t r = 0; r < count; ++r) rounding.see(r, a[first + r], k);
    std::size_t begin = 0;
    do {
      const std::size_t length = k - begin < integer_chain ? k - begin : integer_chain;
      for (std::size_t r = 0; r < count; ++r) {
        lacking[r] = rounding.round(words + r * stride, part, a[first + r] + begin, length, r);
      }
      multiply_rounded_rows(
          {words, stride, part, (length + 3) / 4, rounding.scales, rounding.offsets_of_rows(), lacking, first, begin},
          count, k, matrix.panels, columns, vectors);
      begin += length;
    } while (begin < k);
  }
}

// Rounds each row to numbers from -127 to 127, by its largest magnitude.
struct ByMagnitude {
  float scales[most_integer_rows], inverses[most_integer_rows];

  void see(std::size_t r, const float* row, std::size_t k) {
    const Scale scale = scale_of_row(row, k);
    scales[r] = scale.scale, inverses[r] = scale.inverse;
  }

  std::uint32_t round(std::uint32_t* words, std::size_t odd, const float* row, std::size_t length,
                      std::size_t r) const {
    const Floats inverse = splat(inverses[r]);
    return round_to_integers(words, odd, row, length,
                             [&](Floats x) { return whole_numbers(x, inverse) - 0x4b400000u; });
  }

  const std::uint32_t* offsets_of_rows() const { return nullptr; }
};

// Routines::multiply of numbers rounded by their magnitude.
void multiply_integers(const float* const* a, std::size_t rows, std::size_t k, const Packed<float>& matrix,
                       const Column<float>* columns, std::size_t vectors) {
  multiply_roundings<ByMagnitude>(a, rows, k, matrix, columns, vectors);
}
