// Sums over rows: of outer products, and of the rows themselves.

// Sums over rows are added up in three levels: strands of this number of rows, the strands of a chunk, and chunks in
// the caller's memory. Rounding errors grow with the length of a sum, and so none is long.
constexpr std::size_t strand = 32;

// Whether the operands of a strand are copied to where they lie densely. In place their rows are often a power of two
// apart, so that a strand's lines push each other out of the first-level cache. A processor that multiplies a vector of 16
// in a clock has 24 clocks for each row of a tile, beside which its loads do not show, and copying b was slower
// (docs/performance.md).
constexpr bool copies_strands = lanes < 16 || has_two_multipliers;

// ---- in place ----

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

template <class T>
void outer_in_place(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows,
                    std::size_t k, std::size_t vectors, bool more) {
  constexpr std::size_t n = width_of<T>;
  each_width(vectors, [&]<int N>(std::size_t v) {
    each_tile<tile_rows>(k,
                         [&]<int R>(std::size_t i) { outer_tile<T, R, N>(c, c_stride, a, b, rows, i, v * n, more); });
  });
}

// ---- copied ----

// The rows of a result whose strands are added up together, and its vectors.
constexpr std::size_t outer_features = lanes == 16 ? 192 : 96;
constexpr std::size_t summed_vectors = 128 / lanes;
// The vectors of one strand that is alone: rows of the result are written at once, the longer the better.
constexpr std::size_t lone_vectors = (lanes == 16 ? 256 : 128) / lanes;
constexpr std::size_t outer_vectors = copies_strands ? lone_vectors : panel_vectors;
// Rows of vectors of 16 are lines of a cache, of which longer ones are written faster. With shorter vectors: not measured.
constexpr std::size_t outer_rows = copies_strands && lanes == 16 ? outer_features : 0;
static_assert(summed_vectors % panel_vectors == 0 && lone_vectors % panel_vectors == 0);

// Copies `width` numbers of each row, from `from` on.
template <class T>
inline void copy_rows(T* out, std::size_t stride, const T* const* a, std::size_t rows, std::size_t from,
                      std::size_t width) {
  constexpr std::size_t n = width_of<T>;
  for (std::size_t row = 0; row < rows; ++row, out += stride) {
    const T* x = a[row] + from;
    std::size_t i = 0;
    for (; i + n <= width; i += n) store(out + i, load(x + i));
    for (; i < width; ++i) out[i] = x[i];
  }
}

// The sums of one strand for R features and N vectors, stored or added to what is there.
template <class T, int R, int N>
inline void dense_tile(T* out, std::ptrdiff_t out_stride, const T* left, const T* right, std::size_t right_stride,
                       std::size_t rows, bool more) {
  constexpr std::size_t n = width_of<T>;
  Vector<T> sums[R][N] = {};
  for (std::size_t row = 0; row < rows; ++row, left += outer_features, right += right_stride) {
    Vector<T> v[N];
    RECURRA_UNROLL
    for (int q = 0; q < N; ++q) v[q] = load(right + q * n);
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vector<T> s = splat<T>(left[r]);
      RECURRA_UNROLL
      for (int q = 0; q < N; ++q) sums[r][q] += s * v[q];
    }
  }
  outer_finish<T, R, N>(out, out_stride, sums, more);
}

// The block of a result with these features and vectors. Sums of one strand go to the result at once, along its rows,
// as it lies in memory; those of several are added up in the cache.
template <class T>
inline void outer_block(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows,
                        std::size_t i, std::size_t features, std::size_t j, std::size_t vectors, bool more) {
  constexpr std::size_t n = width_of<T>;
  T left[strand * outer_features], right[strand * lone_vectors * n], total[outer_features * summed_vectors * n];
  const std::size_t width = vectors * n;
  c += (std::ptrdiff_t)i * c_stride + j;
  const auto copy_strand = [&](std::size_t row, std::size_t count) {
    copy_rows(left, outer_features, a + row, count, i, features);
    copy_rows(right, width, b + row, count, j, width);
  };
  if (rows <= strand) {
    copy_strand(0, rows);
    each_tile<tile_rows>(features, [&]<int R>(std::size_t at) {
      each_width(vectors, [&]<int N>(std::size_t v) {
        dense_tile<T, R, N>(c + (std::ptrdiff_t)at * c_stride + v * n, c_stride, left + at, right + v * n, width, rows,
                            more);
      });
    });
    return;
  }
  for (std::size_t row = 0; row < rows; row += strand) {
    const std::size_t count = rows - row < strand ? rows - row : strand;
    copy_strand(row, count);
    each_width(vectors, [&]<int N>(std::size_t v) {
      each_tile<tile_rows>(features, [&]<int R>(std::size_t at) {
        dense_tile<T, R, N>(total + at * width + v * n, (std::ptrdiff_t)width, left + at, right + v * n, width, count,
                            row != 0);
      });
    });
  }
  constexpr std::ptrdiff_t rows_ahead = 4;
  const T* sum = total;
  for (std::size_t r = 0; r < features; ++r, c += c_stride) {
    for (std::size_t v = 0; v < vectors; ++v, sum += n) {
      if (more) __builtin_prefetch(c + rows_ahead * c_stride + v * n, 1);  // a row is too short to be foreseen
      store(c + v * n, more ? load((const T*)c + v * n) + load(sum) : load(sum));
    }
  }
}

template <class T>
void outer(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows, std::size_t k,
           std::size_t vectors, bool more) {
  if constexpr (!copies_strands) return outer_in_place(c, c_stride, a, b, rows, k, vectors, more);
  const std::size_t most = rows <= strand ? lone_vectors : summed_vectors;
  for (std::size_t v = 0; v < vectors; v += most) {
    const std::size_t count = vectors - v < most ? vectors - v : most;
    for (std::size_t i = 0; i < k; i += outer_features) {
      const std::size_t features = k - i < outer_features ? k - i : outer_features;
      outer_block(c, c_stride, a, b, rows, i, features, v * width_of<T>, count, more);
    }
  }
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
