// Products of rows and panels by tiles, and those of numbers rounded to bfloat16.
//
// Operands are rounded and packed as in kernels_rounded.inl. A tile's product adds up 32 numbers of k in an order of its
// own (tiles.inl); so that all results have it, tiles that are not full are filled with zeros, and even one row is a tile.

#include "tiles.inl"

static_assert(lanes == tile_side, "a row of a tile is a vector");

constexpr std::size_t left_rows = 64;  // rows of A that are rounded together

template <int From, int To, class Function>
inline void each_number(Function f) {
  if constexpr (From < To) {
    f.template operator()<From>();
    each_number<From + 1, To>(f);
  }
}

inline std::size_t tiles_of(std::size_t count) { return (count + tile_side - 1) / tile_side; }

// Words of B along k in whole tiles; those that end within a tile are copied into one, with zeros behind.
template <int N>
struct TileRows {
  static constexpr std::size_t width = N * tile_side;
  const float* words;
  std::size_t whole, steps;
  alignas(64) std::uint32_t rest[tile_side * width];

  TileRows(const float* words, std::size_t count) : words(words), whole(count / tile_side), steps(tiles_of(count)) {
    if (steps == whole) return;
    const std::size_t left = count % tile_side;
    __builtin_memcpy(rest, words + whole * tile_side * width, left * width * sizeof *rest);
    __builtin_memset(rest + left * width, 0, (tile_side - left) * width * sizeof *rest);
  }

  const void* step(std::size_t s, std::size_t vector) const {
    if (s < whole) return words + (s * tile_side * width + vector * tile_side);
    return rest + vector * tile_side;
  }
};

// Computes M tiles of rows times N tiles of columns, from vector `first` on; tile (m, n) of the sums is the
// (m * N + n)th.
template <TileProduct P, int M, int N, int V>
inline void tile_sums(Tiles& tiles, const std::uint32_t* left, std::size_t left_stride, const TileRows<V>& right,
                      std::size_t first, std::uint32_t* sums) {
  static_assert(M * N <= 4 && M <= 2);
  constexpr int a = 4, b = 4 + M, free = 8 - b;
  each_number<0, M * N>([&]<int C>() { tiles.zero<C>(); });
  for (std::size_t s = 0; s < right.steps; ++s) {
    each_number<0, M>(
        [&]<int m>() { tiles.load<a + m>(left + (m * tile_side * left_stride + s * tile_side), left_stride); });
    each_number<0, N>([&]<int n>() {
      tiles.load<b + n % free>(right.step(s, first + n), TileRows<V>::width);
      each_number<0, M>([&]<int m>() { tiles.add_products<P, m * N + n, a + m, b + n % free>(); });
    });
  }
  each_number<0, M * N>([&]<int C>() { tiles.store<C>(sums + C * tile_side * tile_side, tile_side); });
}

// Computes rows times a panel of V vectors, and calls f<M, N>(first vector, first row, sums) for blocks of M tiles of rows
// and N of columns.
template <TileProduct P, int V, class Function>
inline void tiled_panel(Tiles& tiles, const std::uint32_t* left, std::size_t left_stride, std::size_t rows,
                        const float* words, std::size_t count, Function f) {
  const TileRows<V> right(words, count);
  alignas(64) std::uint32_t sums[4 * tile_side * tile_side];
  for (std::size_t row = 0; row < rows;) {
    const std::uint32_t* block = left + row * left_stride;
    if (rows - row > tile_side) {
      each_number<0, (V + 1) / 2>([&]<int pair>() {
        constexpr int N = 2 * pair + 1 < V ? 2 : 1;
        tile_sums<P, 2, N>(tiles, block, left_stride, right, 2 * pair, sums);
        f.template operator()<2, N>(2 * pair, row, (const std::uint32_t*)sums);
      });
      row += 2 * tile_side;
    } else {
      tile_sums<P, 1, V>(tiles, block, left_stride, right, 0, sums);
      f.template operator()<1, V>(0, row, (const std::uint32_t*)sums);
      row += tile_side;
    }
  }
}

// Calls f(row, its sums) for column n of a block of M tiles of rows and N of columns, of which `rows` rows count.
template <int M, int N, class Function>
inline void each_sum(const std::uint32_t* sums, int n, std::size_t rows, Function f) {
  for (int m = 0; m < M; ++m) {
    const std::uint32_t* tile = sums + (m * N + n) * tile_side * tile_side;
    for (std::size_t r = 0; r < tile_side && m * tile_side + r < rows; ++r) {
      f(m * tile_side + r, load((const float*)tile + r * tile_side));
    }
  }
}

// Rounds one chain of some rows; the words of tiles that have no number are zeros.
inline void round_tiles(std::uint32_t* left, const float* const* a, std::size_t rows, std::size_t begin,
                        std::size_t length) {
  const std::size_t words = (length + 1) / 2, padded = tiles_of(words) * tile_side;
  for (std::size_t r = 0; r < tiles_of(rows) * tile_side; ++r, left += chain_words) {
    if (r < rows) round_row(left, a[r] + begin, length);
    const std::size_t used = r < rows ? words : 0;
    __builtin_memset(left + used, 0, (padded - used) * sizeof *left);
  }
}

// Routines::multiply by tiles.
inline void multiply_tiles(const float* const* a, std::size_t rows, std::size_t k, const Packed<float>& matrix,
                           const Column<float>* columns, std::size_t vectors) {
  if (matrix.form != Form::rounded) return multiply<float>(a, rows, k, matrix, columns, vectors);
  alignas(64) std::uint32_t left[left_rows * chain_words];
  Tiles tiles;
  tiles.configure();
  for (std::size_t row = 0; row < rows; row += left_rows) {
    const std::size_t count = rows - row < left_rows ? rows - row : left_rows;
    each_chain(k, [&](std::size_t begin, std::size_t length) {
      round_tiles(left, a + row, count, begin, length);
      each_width(vectors, [&]<int V>(std::size_t v) {
        const float* words = packed_from(matrix, v, k, lanes).panels + begin / 2 * V * lanes;
        const auto finish_block = [&]<int M, int N>(int first, std::size_t at, const std::uint32_t* sums) {
          for (int n = 0; n < N; ++n) {
            each_sum<M, N>(sums, n, count - at, [&](std::size_t r, Floats sum) {
              finish(columns[v + first + n], row + at + r, begin == 0, sum);
            });
          }
        };
        tiled_panel<TileProduct::bfloat16, V>(tiles, left, chain_words, count, words, (length + 1) / 2, finish_block);
      });
    });
  }
  tiles.release();
}

// ---- sums over rows of outer products ----

constexpr std::size_t strand_words = rounded_strand / 2;

// Rounds N vectors of a strand's rows, and transposes them: a row of words for each feature.
template <int N>
inline void round_columns(std::uint32_t* columns, const float* const* b, std::size_t rows, std::size_t j) {
  std::uint32_t words[strand_words * N * lanes];
  round_rows(words, N * lanes, b, rows, j, N * lanes);
  const std::size_t count = (rows + 1) / 2;
  for (std::size_t w = 0; w < strand_words; w += tile_side) {
    for (int v = 0; v < N; ++v) {
      Floats square[tile_side];
      for (std::size_t i = 0; i < tile_side; ++i) {
        square[i] = w + i < count ? load((const float*)words + ((w + i) * N + v) * lanes) : Floats{};
      }
      transpose<float>(square);
      for (std::size_t i = 0; i < tile_side; ++i) {
        store((float*)columns + (v * tile_side + i) * strand_words + w, square[i]);
      }
    }
  }
}

// Adds the sums of one strand to the totals of N vectors times 16 features, or begins them.
template <int N>
inline void tiled_strand(Tiles& tiles, Floats (*total)[tile_side], const std::uint32_t* columns,
                         const TileRows<rounded_features / tile_side>& left, std::size_t i, bool more) {
  alignas(64) std::uint32_t sums[4 * tile_side * tile_side];
  each_number<0, (N + 1) / 2>([&]<int pair>() {
    constexpr int M = 2 * pair + 1 < N ? 2 : 1;
    const std::uint32_t* rows = columns + 2 * pair * tile_side * strand_words;
    tile_sums<TileProduct::bfloat16, M, 1>(tiles, rows, strand_words, left, i, sums);
    for (int m = 0; m < M; ++m) {
      for (std::size_t r = 0; r < tile_side; ++r) {
        Floats& to = total[2 * pair + m][r];
        const Floats sum = load((const float*)sums + (m * tile_side + r) * tile_side);
        to = more ? to + sum : sum;
      }
    }
  });
}

// The tiles are those of the transposed result: a row for each of b's features.
template <int N>
inline void tiled_outer_panel(Tiles& tiles, float* c, std::ptrdiff_t c_stride, const float* const* a,
                              const float* const* b, std::size_t rows, std::size_t k, std::size_t j, bool more) {
  constexpr std::size_t across = rounded_features / tile_side;
  alignas(64) std::uint32_t left[strand_words * rounded_features], columns[N * tile_side * strand_words];
  Floats total[across][N][tile_side];
  for (std::size_t i = 0; i < k; i += rounded_features) {
    const std::size_t width = k - i < rounded_features ? k - i : rounded_features;
    std::size_t row = 0;
    do {
      const std::size_t count = rows - row < rounded_strand ? rows - row : rounded_strand;
      round_rows(left, rounded_features, a + row, count, i, width);
      round_columns<N>(columns, b + row, count, j);
      const TileRows<(int)across> words((const float*)left, (count + 1) / 2);
      for (std::size_t t = 0; t < tiles_of(width); ++t) {
        tiled_strand<N>(tiles, total[t], columns, words, t, row != 0);
      }
      row += count;
    } while (row < rows);
    for (std::size_t t = 0; t < tiles_of(width); ++t) {
      for (int v = 0; v < N; ++v) {
        transpose<float>(total[t][v]);
        for (std::size_t r = 0; r < tile_side && t * tile_side + r < width; ++r) {
          float* out = c + (std::ptrdiff_t)(i + t * tile_side + r) * c_stride + j + v * lanes;
          store(out, more ? load((const float*)out) + total[t][v][r] : total[t][v][r]);
        }
      }
    }
  }
}

// Routines::outer by tiles.
inline void outer_tiles(float* c, std::ptrdiff_t c_stride, const float* const* a, const float* const* b,
                        std::size_t rows, std::size_t k, std::size_t vectors, bool more) {
  Tiles tiles;
  tiles.configure();
  each_width(vectors,
             [&]<int N>(std::size_t v) { tiled_outer_panel<N>(tiles, c, c_stride, a, b, rows, k, v * lanes, more); });
  tiles.release();
}
