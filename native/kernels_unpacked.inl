// Products of a few rows and a matrix in place: for a product that happens once, packing would cost more than it saves.
// The sums are those of multiply(), in the same order.

constexpr std::size_t unpacked_rows = 4;

// Whether columns ahead are prefetched. Shorter vectors come back to a cache line, which does not stay in the first-level
// cache beside what is prefetched. Processors that multiply two vectors of 16 in a clock are Intel's, which foresee 16
// columns by themselves; there what is prefetched takes the place of what is awaited, and so do columns of a second vector.
constexpr bool prefetches_columns = lanes == 16 && !has_two_multipliers;
constexpr bool pairs_columns = !has_two_multipliers;

// Loads `count` numbers of each of a vector's columns, from k on, and transposes them: v[l] holds number k + l of all.
template <class T>
inline void load_turned(Vector<T>* v, const Source<T>& source, std::size_t k, std::size_t count, std::ptrdiff_t ahead) {
  constexpr std::size_t n = width_of<T>;
  const T* from = source.base + k;
  if (source.valid == n && count == n) {
    if constexpr (!prefetches_columns) return load_transposed<T>(v, from, source.column_stride);
    RECURRA_UNROLL
    for (std::size_t l = 0; l < n; ++l) {
      v[l] = load(from + (std::ptrdiff_t)l * source.column_stride);
      __builtin_prefetch(from + ((std::ptrdiff_t)l + ahead) * source.column_stride, 0, 2);
    }
    return transpose<T>(v);
  }
  for (std::size_t l = 0; l < n; ++l) {
    const T* at = from + (std::ptrdiff_t)l * source.column_stride;
    v[l] = l >= source.valid ? Vector<T>{} : count == n ? load(at) : load_part(at, count);
  }
  transpose<T>(v);
}

// Columns of the matrix are rows in memory, as in torch's weights. Squares are transposed after loading. N vectors side by
// side have sums of their own, each of which waits for the addition before.
template <class T, int R, int N>
inline void times_turned(const T* const* a, std::size_t k_count, const Source<T>* sources, const Column<T>* columns) {
  constexpr std::size_t n = width_of<T>;
  std::size_t k = 0;
  do {
    Vector<T> sums[N][R] = {};
    const std::size_t begin = k, end = k_count - k < chain ? k_count : k + chain;
    for (; k + n <= end; k += n) {
      RECURRA_UNROLL
      for (int j = 0; j < N; ++j) {
        Vector<T> v[n];
        load_turned<T>(v, sources[j], k, n, N * n);
        RECURRA_UNROLL
        for (std::size_t l = 0; l < n; ++l) {
          for (int r = 0; r < R; ++r) sums[j][r] = vm::fma(splat<T>(a[r][k + l]), v[l], sums[j][r]);
        }
      }
    }
    if (k < end) {
      for (int j = 0; j < N; ++j) {
        Vector<T> v[n];
        load_turned<T>(v, sources[j], k, end - k, 0);
        for (std::size_t l = 0; k + l < end; ++l) {
          for (int r = 0; r < R; ++r) sums[j][r] = vm::fma(splat<T>(a[r][k + l]), v[l], sums[j][r]);
        }
      }
      k = end;
    }
    for (int j = 0; j < N; ++j) {
      for (int r = 0; r < R; ++r) finish(columns[j], (std::size_t)r, begin == 0, sums[j][r]);
    }
  } while (k < k_count);
}

// Vector l of the matrix is a column in memory. N vectors side by side are read as they are.
template <class T, int R, int N>
inline void times_straight(const T* const* a, std::size_t k_count, const Source<T>* sources, const Column<T>* columns) {
  constexpr std::size_t n = width_of<T>;
  std::size_t k = 0;
  do {
    Vector<T> sums[R][N] = {};
    const std::size_t begin = k, end = k_count - k < chain ? k_count : k + chain;
    for (; k < end; ++k) {
      RECURRA_UNROLL
      for (int v = 0; v < N; ++v) {
        const T* p = sources[v].base + (std::ptrdiff_t)k * sources[v].row_stride;
        const Vector<T> b = sources[v].valid == n ? load(p) : load_part(p, sources[v].valid);
        RECURRA_UNROLL
        for (int r = 0; r < R; ++r) sums[r][v] = vm::fma(splat<T>(a[r][k]), b, sums[r][v]);
      }
    }
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      RECURRA_UNROLL
      for (int v = 0; v < N; ++v) finish(columns[v], (std::size_t)r, begin == 0, sums[r][v]);
    }
  } while (k < k_count);
}

// Multiplies by up to N vectors that are columns in memory, as many as lie side by side; returns their number.
template <class T, int R, int N>
inline std::size_t straight(const T* const* a, std::size_t k, const Source<T>* sources, const Column<T>* columns,
                            std::size_t vectors) {
  if constexpr (N > 1) {
    std::size_t side_by_side = 1;
    while (side_by_side < N && side_by_side < vectors && sources[side_by_side].column_stride == 1) ++side_by_side;
    if (side_by_side < N) return straight<T, R, N / 2>(a, k, sources, columns, side_by_side);
  }
  times_straight<T, R, N>(a, k, sources, columns);
  return N;
}

template <class T, int R>
inline void unpacked(const T* const* a, std::size_t k, const Source<T>* sources, const Column<T>* columns,
                     std::size_t vectors) {
  for (std::size_t v = 0; v < vectors;) {
    if (sources[v].column_stride != 1) {
      if (pairs_columns && R <= 2 && v + 1 < vectors && sources[v + 1].column_stride != 1) {
        times_turned<T, R, 2>(a, k, sources + v, columns + v);
        v += 2;
      } else {
        times_turned<T, R, 1>(a, k, sources + v, columns + v);
        ++v;
      }
      continue;
    }
    constexpr int side_by_side = lanes == 16 && R > 1 ? 4 : 8 / R;  // as many sums as there are registers for
    v += straight<T, R, side_by_side>(a, k, sources + v, columns + v, vectors - v);
  }
}

template <class T>
bool multiply_unpacked(const T* const* a, std::size_t rows, std::size_t k, const Source<T>* sources,
                       const Column<T>* columns, std::size_t vectors) {
  if (rows > unpacked_rows) return false;
  for (std::size_t v = 0; v < vectors; ++v) {
    if (sources[v].row_stride != 1 && sources[v].column_stride != 1) return false;
  }
  switch (rows) {
    case 4: unpacked<T, 4>(a, k, sources, columns, vectors); break;
    case 3: unpacked<T, 3>(a, k, sources, columns, vectors); break;
    case 2: unpacked<T, 2>(a, k, sources, columns, vectors); break;
    default: unpacked<T, 1>(a, k, sources, columns, vectors); break;
  }
  return true;
}
