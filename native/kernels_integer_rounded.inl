// Products of floats that are rounded to whole numbers of 8 bits, by the exact sums of kernels_integer.inl.

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
