// Sums over rows: of outer products, and of the rows themselves.

// Sums over rows are added up in three levels: strands of this number of rows, the strands of a chunk, and chunks in
// the caller's memory. Rounding errors grow with the length of a sum, and so none is long.
constexpr std::size_t strand = 32;

template <class T, int R, int N>
[[gnu::always_inline]] inline void outer_strand(Vector<T> (&sums)[R][N], const T* const* a, const T* const* b,
                                                std::size_t rows, std::size_t i, std::size_t j) {
  constexpr std::size_t n = width_of<T>;
  for (std::size_t row = 0; row < rows; ++row) {
    const T* x = a[row] + i;
    const T* y = b[row] + j;
    Vector<T> v[N];
    RECURRA_UNROLL
    for (int q = 0; q < N; ++q) v[q] = load(y + q * n);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vector<T> s = splat<T>(x[r]);
      RECURRA_UNROLL
      for (int q = 0; q < N; ++q) sums[r][q] += s * v[q];
    }
  }
}

// Stores the sums in c; with `more`, adds them to c.
template <class T, int R, int N>
[[gnu::always_inline]] inline void outer_finish(T* c, std::ptrdiff_t c_stride, const Vector<T> (&sums)[R][N],
                                                bool more) {
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    T* out = c + (std::ptrdiff_t)r * c_stride;
    RECURRA_UNROLL
    for (int q = 0; q < N; ++q, out += width_of<T>) store(out, more ? load((const T*)out) + sums[r][q] : sums[r][q]);
  }
}

template <class T, int R, int N>
inline void outer_tile(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows,
                       std::size_t i, std::size_t j, bool more) {
  c += (std::ptrdiff_t)i * c_stride + j;
  if (rows <= strand) {
    Vector<T> sums[R][N] = {};
    outer_strand<T, R, N>(sums, a, b, rows, i, j);
    return outer_finish<T, R, N>(c, c_stride, sums, more);
  }
  Vector<T> total[R][N] = {};  // in memory, as the registers are full
  for (std::size_t row = 0; row < rows; row += strand) {
    Vector<T> sums[R][N] = {};
    outer_strand<T, R, N>(sums, a + row, b + row, rows - row < strand ? rows - row : strand, i, j);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      RECURRA_UNROLL
      for (int q = 0; q < N; ++q) total[r][q] += sums[r][q];
    }
  }
  outer_finish<T, R, N>(c, c_stride, total, more);
}

template <class T, int N>
inline void outer_panel(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows,
                        std::size_t k, std::size_t j, bool more) {
  const std::size_t tiles = (k + tile_rows - 1) / tile_rows;
  std::size_t i = 0;
  for (std::size_t t = 0; t < tiles; ++t) {
    const std::size_t size = (k - i + tiles - t - 1) / (tiles - t);
    switch (size) {
      case 6: outer_tile<T, 6, N>(c, c_stride, a, b, rows, i, j, more); break;
      case 5: outer_tile<T, 5, N>(c, c_stride, a, b, rows, i, j, more); break;
      case 4: outer_tile<T, 4, N>(c, c_stride, a, b, rows, i, j, more); break;
      case 3: outer_tile<T, 3, N>(c, c_stride, a, b, rows, i, j, more); break;
      case 2: outer_tile<T, 2, N>(c, c_stride, a, b, rows, i, j, more); break;
      default: outer_tile<T, 1, N>(c, c_stride, a, b, rows, i, j, more); break;
    }
    i += size;
  }
}

template <class T>
void outer(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows, std::size_t k,
           std::size_t vectors, bool more) {
  constexpr std::size_t n = width_of<T>;
  constexpr std::size_t V = panel_vectors;
  std::size_t v = 0;
  for (; v + V <= vectors; v += V) outer_panel<T, (int)V>(c, c_stride, a, b, rows, k, v * n, more);
  if constexpr (V > 3) {
    if (vectors - v == 3) return outer_panel<T, 3>(c, c_stride, a, b, rows, k, v * n, more);
  }
  if constexpr (V > 2) {
    if (vectors - v == 2) return outer_panel<T, 2>(c, c_stride, a, b, rows, k, v * n, more);
  }
  if (vectors - v == 1) outer_panel<T, 1>(c, c_stride, a, b, rows, k, v * n, more);
}

// The sum of up to 64 rows: several sums side by side, which are added in the end.
template <class T>
inline Vector<T> rows_strand(const T* const* a, std::size_t rows, std::size_t at) {
  constexpr std::size_t side_by_side = 8;
  Vector<T> sums[side_by_side] = {};
  std::size_t row = 0;
  for (; row + side_by_side <= rows; row += side_by_side) {
    RECURRA_UNROLL
    for (std::size_t s = 0; s < side_by_side; ++s) sums[s] += load(a[row + s] + at);
  }
  for (std::size_t s = 0; row < rows; ++row, ++s) sums[s] += load(a[row] + at);
  RECURRA_UNROLL
  for (std::size_t half = side_by_side / 2; half; half /= 2) {
    for (std::size_t s = 0; s < half; ++s) sums[s] += sums[s + half];
  }
  return sums[0];
}

template <class T>
void rows_sum(T* c, const T* const* a, std::size_t rows, std::size_t vectors, bool more) {
  constexpr std::size_t n = width_of<T>, most = 64;
  for (std::size_t v = 0; v < vectors; ++v) {
    Vector<T> sum = {};
    for (std::size_t row = 0; row < rows; row += most) {
      sum += rows_strand(a + row, rows - row < most ? rows - row : most, v * n);
    }
    store(c + v * n, more ? load(c + v * n) + sum : sum);
  }
}
