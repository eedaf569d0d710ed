// Convolution of whole numbers of 8 bits, exact: filters over words that each hold four unsigned numbers.
//
// A filter has one word for each word of a window, with four signed numbers; or where only products of 16 bits are exact,
// two words, with its numbers of even and of odd k in 16 bits each.

#if (defined(__AVX512BW__) || (defined(__AVX2__) && RECURRA_LANES == 8)) && !defined(RECURRA_EMULATES_VNNI)
// Sums of two products that fit into 16 bits.
inline Words pairs_of_bytes(Words column, std::uint32_t filter) {
#if defined(__AVX512BW__)
  return (Words)_mm512_maddubs_epi16((__m512i)column, _mm512_set1_epi32((int)filter));
#else
  return (Words)_mm256_maddubs_epi16((__m256i)column, _mm256_set1_epi32((int)filter));
#endif
}
constexpr bool has_pairs_of_bytes = true;
#else
inline Words pairs_of_bytes(Words column, std::uint32_t) { return column; }
constexpr bool has_pairs_of_bytes = false;
#endif

// The words of a filter for each word of a window.
constexpr std::size_t filter_parts(bool is_narrow) {
  return row_parts == 1 || (is_narrow && has_pairs_of_bytes) ? 1 : 2;
}

// Adds, to each lane of a sum, the products of the numbers of a column's word and those of a filter.
template <bool Narrow>
inline Words add_filtered(Words sum, const std::uint32_t* filter, Words column) {
#ifdef RECURRA_FOUR_PRODUCTS
  return add_four_products(sum, column, Words{} + *filter);
#else
  if constexpr (Narrow && has_pairs_of_bytes) {
    return add_pairs(sum, 0x00010001u, (Shorts)pairs_of_bytes(column, *filter));
  } else {
    const Shorts even = (Shorts)(column & 0x00ff00ffu), odd = (Shorts)(column >> 8 & 0x00ff00ffu);
    return add_pairs(add_pairs(sum, filter[0], even), filter[1], odd);
  }
#endif
}

std::size_t pack_filters(std::uint32_t* packed, const std::int8_t* numbers, std::size_t words, bool is_narrow) {
  const auto wide = [](std::int8_t x) { return (std::uint32_t)(std::uint16_t)(std::int16_t)x; };
  for (std::size_t k = 0; k < words; ++k, numbers += 4) {
    if (filter_parts(is_narrow) == 1) {
      __builtin_memcpy(packed++, numbers, 4);
    } else {
      *packed++ = wide(numbers[0]) | wide(numbers[2]) << 16;
      *packed++ = wide(numbers[1]) | wide(numbers[3]) << 16;
    }
  }
  return words * filter_parts(is_narrow);
}

template <bool Narrow, int R, int V>
inline void filtered_tile(std::int32_t* out, std::ptrdiff_t out_stride, const std::uint32_t* filters,
                          const std::uint32_t* base, const std::ptrdiff_t* offsets, std::size_t k_count) {
  constexpr std::size_t parts = filter_parts(Narrow);
  Words sums[R][V] = {};
  for (std::size_t k = 0; k < k_count; ++k) {
    const float* p = (const float*)(base + offsets[k]);
    Words x[V];
    RECURRA_UNROLL
    for (int v = 0; v < V; ++v) x[v] = (Words)load(p + v * lanes);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      RECURRA_UNROLL
      for (int v = 0; v < V; ++v) {
        sums[r][v] = add_filtered<Narrow>(sums[r][v], filters + ((std::size_t)r * k_count + k) * parts, x[v]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) store((float*)(out + r * out_stride) + v * lanes, (Floats)sums[r][v]);
  }
}

template <bool Narrow>
inline void filter_words(std::int32_t* out, std::ptrdiff_t out_stride, const std::uint32_t* filters, std::size_t count,
                         const std::uint32_t* base, const std::ptrdiff_t* offsets, std::size_t k, std::size_t n) {
  constexpr int most = lanes == 16 ? 6 : 4;  // filters of a tile
  const auto tiles = [&]<int V>(std::size_t i) {
    each_tile<most>(count, [&]<int R>(std::size_t f) {
      filtered_tile<Narrow, R, V>(out + (std::ptrdiff_t)f * out_stride + i, out_stride,
                                  filters + f * k * filter_parts(Narrow), base + i, offsets, k);
    });
  };
  std::size_t i = 0;
  if (count == 1) {  // enough sums in flight to hide the latency of an addition
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      filtered_tile<Narrow, 1, 4>(out + i, out_stride, filters, base + i, offsets, k);
    }
  }
  for (; i + lanes < n; i += 2 * lanes) tiles.template operator()<2>(i);
  if (i < n) tiles.template operator()<1>(i);
}

void correlate_bytes(std::int32_t* out, std::ptrdiff_t out_stride, const std::uint32_t* filters, std::size_t count,
                     bool is_narrow, const std::uint32_t* base, const std::ptrdiff_t* offsets, std::size_t k,
                     std::size_t n) {
  if (is_narrow && has_pairs_of_bytes) filter_words<true>(out, out_stride, filters, count, base, offsets, k, n);
  else filter_words<false>(out, out_stride, filters, count, base, offsets, k, n);
}

void interleave_bytes(std::uint32_t* words, const std::uint8_t* const* rows, std::size_t n, std::ptrdiff_t step,
                      std::uint8_t flip) {
  const std::uint32_t change = flip * 0x01010101u;
  const std::uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  std::size_t i = 0;
  if (b == a + 1 && c == a + 2 && d == a + 3) {  // four neighbours
    for (; i < n; ++i) {
      std::uint32_t word;
      __builtin_memcpy(&word, a + (std::ptrdiff_t)i * step, 4);
      words[i] = word ^ change;
    }
    return;
  }
#if defined(__SSE2__)
  const __m128i flips = _mm_set1_epi8((char)flip), low_bytes = _mm_set1_epi16(0xff);
  const auto sixteen = [&](const std::uint8_t* p) {
    if (step == 1) return _mm_xor_si128(_mm_loadu_si128((const __m128i*)p), flips);
    const __m128i first = _mm_loadu_si128((const __m128i*)p);  // step 2; the second ends with the last number
    const __m128i second = _mm_srli_epi16(_mm_loadu_si128((const __m128i*)(p + 15)), 8);
    return _mm_xor_si128(_mm_packus_epi16(_mm_and_si128(first, low_bytes), second), flips);
  };
  if (step == 1 || step == 2) {
    for (; i + 16 <= n; i += 16) {
      const std::ptrdiff_t at = (std::ptrdiff_t)i * step;
      const __m128i x = sixteen(a + at), y = sixteen(b + at), z = sixteen(c + at), w = sixteen(d + at);
      const __m128i xy[] = {_mm_unpacklo_epi8(x, y), _mm_unpackhi_epi8(x, y)};
      const __m128i zw[] = {_mm_unpacklo_epi8(z, w), _mm_unpackhi_epi8(z, w)};
      for (int half = 0; half < 2; ++half) {
        __m128i* to = (__m128i*)(words + i + 8 * half);
        _mm_storeu_si128(to, _mm_unpacklo_epi16(xy[half], zw[half]));
        _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(xy[half], zw[half]));
      }
    }
  }
#endif
  for (; i < n; ++i) {
    const std::ptrdiff_t at = (std::ptrdiff_t)i * step;
    const std::uint32_t word =
        a[at] | (std::uint32_t)b[at] << 8 | (std::uint32_t)c[at] << 16 | (std::uint32_t)d[at] << 24;
    words[i] = word ^ change;
  }
}
