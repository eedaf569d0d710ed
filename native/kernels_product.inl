// Matrix products: rows times a packed matrix.

// Vectors side by side; with tile_rows rows, their sums fill the registers.
constexpr std::size_t panel_vectors = RECURRA_PANEL;
constexpr std::size_t tile_rows = 6;
// Widening needs registers too; only AVX-512 has some to spare.
template <Form F>
constexpr std::size_t tile_rows_of = F == Form::wide || lanes == 16 ? tile_rows : 4;
// From this number of rows on, a chain's int8 numbers are widened once, before its tiles.
constexpr std::size_t rows_to_widen_once = 18;

// Adds the sum of a chain to the initial value, or to the chains before it.
template <class T>
inline void finish(const Column<T>& column, std::size_t row, bool is_first, Vector<T> sum) {
  T* out = column.out + (std::ptrdiff_t)row * column.out_stride;
  store(out, (is_first ? load(column.init + (std::ptrdiff_t)row * column.init_stride) : load((const T*)out)) + sum);
}

// After this number of products, a sum goes to memory and begins anew, as rounding errors grow with a chain's length.
constexpr std::size_t chain = 128;

// Widens number j of each word.
template <Form F, class T>
inline Vector<T> widen(Vector<T> words, int j, Vector<T> scale) {
  if constexpr (F == Form::wide) {
    return words;
  } else if constexpr (F == Form::bfloat16) {
    return (Floats)((Words)words << (16 - 16 * j) & 0xffff0000u);
  } else {  // stays in the highest bits, where it counts 2^24 times as much: extending its sign would cost more
    return __builtin_convertvector((Ints)((Words)words << (24 - 8 * j) & 0xff000000u), Floats) * scale;
  }
}

// The rows of one chain, in neighbouring panels of N vectors each.
template <class T, Form F, int N>
struct PanelRows {
  const T* panels;
  const T* scales;
  std::size_t panel_size, panel_scales;  // from one panel to the next

  PanelRows(const Packed<T>& matrix, std::size_t k_count, std::size_t begin)
      : panels(matrix.panels + begin / numbers_of_word(F) * N * width_of<T>),
        scales(matrix.scales + (F == Form::int8_of_rows ? begin * N : 0)),
        panel_size(words_of(F, k_count) * N * width_of<T>),
        panel_scales(scales_of(F, k_count, width_of<T>) * N) {}

  Vector<T> words(std::size_t k, int v) const {
    return load(panels + (v / N) * panel_size + (k / numbers_of_word(F) * N + v % N) * width_of<T>);
  }

  Vector<T> scale(std::size_t k, int v) const {
    if constexpr (F == Form::int8_of_columns) return load(scales + v * width_of<T>);
    else if constexpr (F == Form::int8_of_rows) return splat<T>(scales[(v / N) * panel_scales + k * N + v % N]);
    else return Vector<T>{};
  }
};

template <int R, int N, int P>
inline void rounded_tile(const float* const* a, std::size_t row, std::size_t begin, std::size_t length,
                         const PanelRows<float, Form::rounded, N>& matrix, const Column<float>* columns);

// Computes one chain of R rows times P panels of N vectors each; the sums stay in registers. For every two k, A vectors from
// `ahead` on are prefetched.
template <class T, Form F, int R, int N, int P, int A = 0>
inline void tile(const T* const* a, std::size_t row, std::size_t begin, std::size_t length,
                 const PanelRows<T, F, N>& matrix, const Column<T>* columns, const T* ahead = nullptr) {
  if constexpr (F == Form::rounded) {
    rounded_tile<R, N, P>(a, row, begin, length, matrix, columns);
    return;
  }
  constexpr int together = (int)numbers_of_word(F);
  const T* rows[R];
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) rows[r] = a[row + r] + begin;
  Vector<T> sums[R][N * P] = {};
  std::size_t k = 0;
#pragma GCC unroll 2
  for (; k + together <= length; k += together) {
    if constexpr (R == 1 && lanes > 4) {  // vector by vector: few words occupy registers, and a splat is a load
      RECURRA_UNROLL
      for (int v = 0; v < N * P; ++v) {
        const Vector<T> words = matrix.words(k, v);
        RECURRA_UNROLL
        for (int j = 0; j < together; ++j) {
          sums[0][v] += splat<T>(rows[0][k + j]) * widen<F, T>(words, j, matrix.scale(k + j, v));
        }
      }
      continue;
    }
    RECURRA_UNROLL
    for (int v = 0; v < (A + 1) / 2; ++v) __builtin_prefetch(ahead + (k * A / 2 + v) * width_of<T>, 0, 2);
    Vector<T> words[N * P];
    RECURRA_UNROLL
    for (int v = 0; v < N * P; ++v) words[v] = matrix.words(k, v);
    RECURRA_UNROLL
    for (int j = 0; j < together; ++j) {
      Vector<T> b[N * P];
      RECURRA_UNROLL
      for (int v = 0; v < N * P; ++v) b[v] = widen<F, T>(words[v], j, matrix.scale(k + j, v));
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vector<T> x = splat<T>(rows[r][k + j]);
        RECURRA_UNROLL
        for (int v = 0; v < N * P; ++v) sums[r][v] += x * b[v];
      }
    }
  }
  for (int j = 0; k < length; ++k, ++j) {  // the numbers of an incomplete last word
    for (int v = 0; v < N * P; ++v) {
      const Vector<T> b = widen<F, T>(matrix.words(k, v), j, matrix.scale(k, v));
      RECURRA_UNROLL
      for (int r = 0; r < R; ++r) sums[r][v] += splat<T>(rows[r][k]) * b;
    }
  }
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    RECURRA_UNROLL
    for (int v = 0; v < N * P; ++v) finish(columns[v], row + r, begin == 0, sums[r][v]);
  }
}

// Calls f(begin, length) for each piece of at most this length, by default a chain; once if there is nothing to sum.
template <std::size_t Most = chain, class Function>
inline void each_chain(std::size_t k_count, Function f) {
  std::size_t begin = 0;
  do {
    const std::size_t length = k_count - begin < Most ? k_count - begin : Most;
    f(begin, length);
    begin += length;
  } while (begin < k_count);
}

// The rows of a panel that all tiles take before the next ones: the second-level cache holds them.
constexpr std::size_t deep = 8 * chain;

// Calls f<rows of a tile>(its first row) for tiles of nearly equal size, as a thin tile wastes loads.
template <std::size_t Most, class Function>
inline void each_tile(std::size_t rows, Function f) {
  const std::size_t tiles = (rows + Most - 1) / Most;
  std::size_t row = 0;
  for (std::size_t i = 0; i < tiles; ++i) {
    const std::size_t size = (rows - row + tiles - i - 1) / (tiles - i);
    switch (size) {
      case 6:
        if constexpr (Most >= 6) f.template operator()<6>(row);
        break;
      case 5:
        if constexpr (Most >= 5) f.template operator()<5>(row);
        break;
      case 4: f.template operator()<4>(row); break;
      case 3: f.template operator()<3>(row); break;
      case 2: f.template operator()<2>(row); break;
      default: f.template operator()<1>(row); break;
    }
    row += size;
  }
}

// Calls f<vectors side by side>(the first of them) for panels, and for what is left.
template <class Function>
inline void each_width(std::size_t vectors, Function f) {
  constexpr std::size_t V = panel_vectors;
  std::size_t v = 0;
  for (; v + V <= vectors; v += V) f.template operator()<(int)V>(v);
  if constexpr (V > 3) {
    if (vectors - v == 3) return f.template operator()<3>(v);
  }
  if constexpr (V > 2) {
    if (vectors - v == 2) return f.template operator()<2>(v);
  }
  if (vectors - v == 1) f.template operator()<1>(v);
}

// Widens a panel's numbers of one chain.
template <class T, Form F, int N>
inline void widen_chain(const PanelRows<T, F, N>& matrix, std::size_t length, T* wide) {
  constexpr std::size_t together = numbers_of_word(F);
  for (std::size_t k = 0; k < length; k += together) {
    for (int v = 0; v < N; ++v) {
      const Vector<T> words = matrix.words(k, v);
      for (std::size_t j = 0; j < together && k + j < length; ++j) {
        store(wide + ((k + j) * N + v) * width_of<T>, widen<F, T>(words, (int)j, matrix.scale(k + j, v)));
      }
    }
  }
}

// Multiplies all rows by one panel. If asked, what comes behind in memory is brought from farther caches meanwhile: a little
// with each tile, as a core waits for few lines at a time.
template <class T, Form F, int N, bool IsNextWanted = false>
inline void panel_times(const T* const* a, std::size_t rows, std::size_t k_count, const Packed<T>& matrix,
                        const Column<T>* columns) {
  if constexpr (F == Form::int8_of_columns || F == Form::int8_of_rows) {
    if (rows >= rows_to_widen_once) {
      T wide[chain * N * width_of<T>];
      each_chain(k_count, [&](std::size_t begin, std::size_t length) {
        widen_chain<T, F, N>({matrix, k_count, begin}, length, wide);
        each_tile<tile_rows>(rows, [&]<int R>(std::size_t row) {
          tile<T, Form::wide, R, N, 1>(a, row, begin, length, {Packed<T>{wide}, length, 0}, columns);
        });
      });
      return;
    }
  }
  const std::size_t tiles = (rows + tile_rows - 1) / tile_rows;
  each_chain<deep>(k_count, [&](std::size_t from, std::size_t count) {
    const T* ahead = IsNextWanted ? matrix.panels + (from + count) * N * width_of<T> : nullptr;
    const T* end = ahead + (IsNextWanted ? count * N * width_of<T> : 0);
    each_tile<tile_rows_of<F>>(rows, [&]<int R>(std::size_t row) {
      each_chain(count, [&](std::size_t begin, std::size_t length) {
        const auto multiply_with = [&]<int A>() {
          tile<T, F, R, N, 1, A>(a, row, from + begin, length, {matrix, k_count, from + begin}, columns, ahead);
          ahead += length * A / 2 * width_of<T>;
        };
        if constexpr (IsNextWanted) {
          if (ahead < end && tiles >= 2 * N) return multiply_with.template operator()<1>();
          if (ahead < end && tiles >= N) return multiply_with.template operator()<2>();
          if (ahead < end) return multiply_with.template operator()<4>();
        }
        multiply_with.template operator()<0>();
      });
    });
  });
}

template <class T, Form F>
void multiply_form(const T* const* a, std::size_t rows, std::size_t k, const Packed<T>& matrix,
                   const Column<T>* columns, std::size_t vectors) {
  constexpr int V = panel_vectors;
  constexpr int P = 8 / V;  // a single row needs enough sums in flight to hide the latency of an addition
  const auto from = [&](std::size_t v) { return packed_from(matrix, v, k, width_of<T>); };
  std::size_t v = 0;
  if (rows == 1) {
    for (; v + V * P <= vectors; v += V * P) {
      each_chain(k, [&](std::size_t begin, std::size_t length) {
        tile<T, F, 1, V, P>(a, 0, begin, length, {from(v), k, begin}, columns + v);
      });
    }
  }
  if constexpr (F == Form::wide && panels_ahead_from != 0) {
    if (rows > tile_rows && vectors * k * sizeof(Vector<T>) >= panels_ahead_from) {
      for (; v + 2 * V <= vectors; v += V) panel_times<T, F, V, true>(a, rows, k, from(v), columns + v);
    }
  }
  for (; v + V <= vectors; v += V) panel_times<T, F, V>(a, rows, k, from(v), columns + v);
  if constexpr (V > 3) {
    if (vectors - v == 3) panel_times<T, F, 3>(a, rows, k, from(v), columns + v);
  }
  if constexpr (V > 2) {
    if (vectors - v == 2) panel_times<T, F, 2>(a, rows, k, from(v), columns + v);
  }
  if (vectors - v == 1) panel_times<T, F, 1>(a, rows, k, from(v), columns + v);
}

template <class T>
void multiply(const T* const* a, std::size_t rows, std::size_t k, const Packed<T>& matrix, const Column<T>* columns,
              std::size_t vectors) {
  if constexpr (sizeof(T) == sizeof(float)) {
    switch (matrix.form) {
      case Form::bfloat16: return multiply_form<T, Form::bfloat16>(a, rows, k, matrix, columns, vectors);
      case Form::int8_of_columns: return multiply_form<T, Form::int8_of_columns>(a, rows, k, matrix, columns, vectors);
      case Form::int8_of_rows: return multiply_form<T, Form::int8_of_rows>(a, rows, k, matrix, columns, vectors);
      case Form::rounded: return multiply_form<T, Form::rounded>(a, rows, k, matrix, columns, vectors);
      case Form::wide:
      case Form::integer: break;  // multiply_integers()
    }
  }
  multiply_form<T, Form::wide>(a, rows, k, matrix, columns, vectors);
}
