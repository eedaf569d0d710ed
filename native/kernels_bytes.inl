// Products of whole numbers of 8 bits as they are, in the words and panels of kernels_integer.inl.

void pack_bytes(std::uint32_t* panels, std::size_t k_count, const std::int8_t* base, std::ptrdiff_t row_stride,
                std::ptrdiff_t column_stride, std::size_t columns) {
  const std::size_t vectors = (columns + lanes - 1) / lanes;
  for (std::size_t v = 0, count; v < vectors; v += count) {
    count = vectors - v < panel_vectors ? 1 : panel_vectors;
    const std::size_t width = count * lanes;
    for (std::size_t k = 0; k < k_count; k += 4) {
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t column = v * lanes + i;
        std::uint32_t word = 0;
        for (std::size_t j = 0; j < 4 && k + j < k_count && column < columns; ++j) {
          const std::ptrdiff_t at = (std::ptrdiff_t)(k + j) * row_stride + (std::ptrdiff_t)column * column_stride;
          word |= (std::uint32_t)(std::uint8_t)base[at] << (8 * j);
        }
        *panels++ = word;
      }
    }
  }
}

template <int R, int N>
inline void byte_tile(const std::uint32_t* rows, std::size_t stride, std::size_t part, std::size_t words,
                      const float* panel, std::int32_t* out, std::ptrdiff_t out_stride, bool more) {
  Words sums[R][N];
  integer_sums<Numbers::whole, R, N, 1>(sums, rows, stride, part, words, panel, 0);
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < N; ++v) add_words(out + r * out_stride + v * lanes, sums[r][v], more);
  }
}

// Lays the numbers of a row out as add_integers() takes them; a last word that is not full is filled with zeros.
inline void lay_bytes(std::uint32_t* words, std::size_t odd, const std::uint8_t* row, std::size_t length) {
  for (std::size_t k = 0; k < length; k += 4 * lanes) {
    Words four = {};
    __builtin_memcpy(&four, row + k, length - k < 4 * lanes ? length - k : 4 * lanes);
    store_row_words(words + k / 4, odd, four);
  }
}

void multiply_bytes(const std::uint8_t* const* a, std::size_t rows, std::size_t k, const std::uint32_t* panels,
                    std::int32_t* out, std::ptrdiff_t out_stride, std::size_t vectors) {
  std::uint32_t words[integer_memory + 2 * lanes];
  const auto [part, stride, together] = RowPlaces(k, row_parts);
  for (std::size_t first = 0; first < rows; first += together) {
    const std::size_t count = rows - first < together ? rows - first : together;
    std::size_t begin = 0;
    do {
      const std::size_t length = k - begin < integer_chain ? k - begin : integer_chain;
      for (std::size_t r = 0; r < count; ++r) lay_bytes(words + r * stride, part, a[first + r] + begin, length);
      const auto panel = [&]<int N>(std::size_t v) {
        const float* from = (const float*)panels + ((k + 3) / 4 * v + begin / 4 * N) * lanes;
        std::int32_t* const to = out + (std::ptrdiff_t)first * out_stride + v * lanes;
#ifdef RECURRA_TILES
        if (fills_tiles(count, stride)) {
          return byte_tiles<N>(words, stride, count, from, (length + 3) / 4, to, out_stride, begin > 0);
        }
#endif
        each_tile<integer_rows>(count, [&]<int R>(std::size_t row) {
          byte_tile<R, N>(words + row * stride, stride, part, (length + 3) / 4, from,
                          to + (std::ptrdiff_t)row * out_stride, out_stride, begin > 0);
        });
      };
      std::size_t v = 0;
      for (; v + panel_vectors <= vectors; v += panel_vectors) panel.template operator()<(int)panel_vectors>(v);
      for (; v < vectors; ++v) panel.template operator()<1>(v);
      begin += length;
    } while (begin < k);
  }
}
