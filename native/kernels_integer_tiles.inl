// Products of whole numbers of 8 bits by tiles: exact, so that they may be mixed with those by vectors.

constexpr std::size_t rows_for_tiles = 4;  // fewer cost vectors less

// Whether rows are enough for tiles, and lie in memory that has whole tiles.
inline bool fills_tiles(std::size_t rows, std::size_t stride) {
  return rows >= rows_for_tiles && tiles_of(rows) * tile_side * stride <= integer_memory;
}

// Multiplies rounded rows by all vectors.
inline void multiply_rounded_tiles(const IntegerRows& rows, std::size_t count, std::size_t k, const float* panels,
                                   const Column<float>* columns, std::size_t vectors) {
  Tiles tiles;
  tiles.configure();
  each_width(vectors, [&]<int V>(std::size_t v) {
    const float* panel = panels + words_of(Form::integer, k) * v * lanes;
    const auto finish_block = [&]<int M, int N>(int first, std::size_t row, const std::uint32_t* sums) {
      for (int n = 0; n < N; ++n) {
        const IntegerColumn column(panel, k, rows.begin, V, first + n);
        each_sum<M, N>(sums, n, count - row, [&](std::size_t r, Floats sum) {
          const Floats number = column.product((Words)sum, rows, row + r);
          finish(columns[v + first + n], rows.first + row + r, rows.begin == 0, number);
        });
      }
    };
    tiled_panel<TileProduct::bytes, V>(tiles, rows.words, rows.stride, count, panel + rows.begin / 4 * V * lanes,
                                       rows.count, finish_block);
  });
  tiles.release();
}

// Adds the products of some rows of bytes and a panel of V vectors to `out`, or begins with them.
template <int V>
inline void byte_tiles(const std::uint32_t* rows, std::size_t stride, std::size_t count, const float* panel,
                       std::size_t words, std::int32_t* out, std::ptrdiff_t out_stride, bool more) {
  Tiles tiles;
  tiles.configure();
  const auto finish_block = [&]<int M, int N>(int first, std::size_t row, const std::uint32_t* sums) {
    for (int n = 0; n < N; ++n) {
      each_sum<M, N>(sums, n, count - row, [&](std::size_t r, Floats sum) {
        add_words(out + (std::ptrdiff_t)(row + r) * out_stride + (first + n) * lanes, (Words)sum, more);
      });
    }
  };
  tiled_panel<TileProduct::bytes, V>(tiles, rows, stride, count, panel, words, finish_block);
  tiles.release();
}
