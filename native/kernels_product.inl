// Matrix products: packing, and rows times a packed matrix.

// Vectors side by side; with tile_rows rows, their sums fill the registers.
constexpr std::size_t panel_vectors = RECURRA_PANEL;
constexpr std::size_t tile_rows = 6;
// Widening needs registers too; only AVX-512 has some to spare.
template <Form F>
constexpr std::size_t tile_rows_of = F == Form::wide || lanes == 16 ? tile_rows : 4;
// From this number of rows on, a chain's int8 numbers are widened once, before its tiles.
constexpr std::size_t rows_to_widen_once = 18;

#if defined(__AVX512F__)
typedef int Lanes16 __attribute__((vector_size(64)));
typedef long long Lanes8 __attribute__((vector_size(64)));
#elif RECURRA_LANES == 8
typedef int Lanes8 __attribute__((vector_size(32)));
#elif RECURRA_LANES == 4
typedef int Lanes4 __attribute__((vector_size(16)));
#endif

// ---- packing ----

template <std::size_t...>
struct LaneNumbers {};

// One stage of transpose(): exchanges blocks of S rows and S columns. Indices are constants, as GCC turns derived ones into
// many instructions where vectors have no shuffle of any two.
template <class T, std::size_t S, std::size_t... L>
inline void exchange_blocks(Vector<T>* v, LaneNumbers<L...>) {
  constexpr std::size_t n = sizeof...(L);
  typedef decltype(Vector<T>{} < Vector<T>{}) Mask;
  RECURRA_UNROLL
  for (std::size_t i = 0; i < n; ++i) {
    if (i & S) continue;
    const Vector<T> a = v[i], b = v[i + S];
    v[i] = __builtin_shuffle(a, b, Mask{((L & S) != 0 ? n + L - S : L)...});
    v[i + S] = __builtin_shuffle(a, b, Mask{((L & S) != 0 ? n + L : L + S)...});
  }
}

// Transposes the square matrix whose rows are the vectors v.
template <class T>
inline void transpose(Vector<T>* v) {
  constexpr std::size_t n = width_of<T>;
  constexpr LaneNumbers<__integer_pack(n)...> lane_numbers;
  if constexpr (n > 1) exchange_blocks<T, 1>(v, lane_numbers);
  if constexpr (n > 2) exchange_blocks<T, 2>(v, lane_numbers);
  if constexpr (n > 4) exchange_blocks<T, 4>(v, lane_numbers);
  if constexpr (n > 8) exchange_blocks<T, 8>(v, lane_numbers);
}

#if defined(__AVX512F__)
// The same with shuffles that need no index vectors: pairs of rows, pairs of pairs, then quarters of vectors.
template <>
inline void transpose<float>(Floats* v) {
  __m512 a[16], b[16];
  RECURRA_UNROLL
  for (int i = 0; i < 16; i += 2) {
    a[i] = (__m512)__builtin_shuffle(v[i], v[i + 1], Lanes16{0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29});
    a[i + 1] =
        (__m512)__builtin_shuffle(v[i], v[i + 1], Lanes16{2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31});
  }
  RECURRA_UNROLL
  for (int i = 0; i < 16; i += 4) {
    RECURRA_UNROLL
    for (int j = 0; j < 2; ++j) {  // b[i + c] holds column c of each quarter of rows i … i + 3
      const __m512d low = (__m512d)a[i + j], high = (__m512d)a[i + j + 2];
      b[i + 2 * j] = (__m512)__builtin_shuffle(low, high, Lanes8{0, 8, 2, 10, 4, 12, 6, 14});
      b[i + 2 * j + 1] = (__m512)__builtin_shuffle(low, high, Lanes8{1, 9, 3, 11, 5, 13, 7, 15});
    }
  }
  RECURRA_UNROLL
  for (int c = 0; c < 4; ++c) {
    const __m512 p = _mm512_maskz_shuffle_f32x4(0xffff, b[c], b[c + 4], 0x88);
    const __m512 q = _mm512_maskz_shuffle_f32x4(0xffff, b[c + 8], b[c + 12], 0x88);
    const __m512 r = _mm512_maskz_shuffle_f32x4(0xffff, b[c], b[c + 4], 0xdd);
    const __m512 s = _mm512_maskz_shuffle_f32x4(0xffff, b[c + 8], b[c + 12], 0xdd);
    v[c] = (Floats)_mm512_maskz_shuffle_f32x4(0xffff, p, q, 0x88);
    v[c + 4] = (Floats)_mm512_maskz_shuffle_f32x4(0xffff, r, s, 0x88);
    v[c + 8] = (Floats)_mm512_maskz_shuffle_f32x4(0xffff, p, q, 0xdd);
    v[c + 12] = (Floats)_mm512_maskz_shuffle_f32x4(0xffff, r, s, 0xdd);
  }
}
#elif RECURRA_LANES == 8
// The same with one instruction for each shuffle: pairs of rows, pairs of pairs, then halves of vectors.
template <>
inline void transpose<float>(Floats* v) {
  Floats a[8], b[8];
  RECURRA_UNROLL
  for (int i = 0; i < 8; i += 2) {
    a[i] = (Floats)__builtin_shuffle(v[i], v[i + 1], Lanes8{0, 8, 1, 9, 4, 12, 5, 13});
    a[i + 1] = (Floats)__builtin_shuffle(v[i], v[i + 1], Lanes8{2, 10, 3, 11, 6, 14, 7, 15});
  }
  RECURRA_UNROLL
  for (int i = 0; i < 8; i += 4) {
    RECURRA_UNROLL
    for (int j = 0; j < 2; ++j) {  // b[i + c] holds columns c and c + 4 of rows i … i + 3
      const __m256d low = (__m256d)a[i + j], high = (__m256d)a[i + j + 2];
      b[i + 2 * j] = (Floats)_mm256_unpacklo_pd(low, high);
      b[i + 2 * j + 1] = (Floats)_mm256_unpackhi_pd(low, high);
    }
  }
  RECURRA_UNROLL
  for (int c = 0; c < 4; ++c) {
    v[c] = (Floats)_mm256_permute2f128_ps((__m256)b[c], (__m256)b[c + 4], 0x20);
    v[c + 4] = (Floats)_mm256_permute2f128_ps((__m256)b[c], (__m256)b[c + 4], 0x31);
  }
}
#elif RECURRA_LANES == 4
// The same with fewer instructions.
template <>
inline void transpose<float>(Floats* v) {
  const Floats a = __builtin_shuffle(v[0], v[1], Lanes4{0, 4, 1, 5}),
               b = __builtin_shuffle(v[0], v[1], Lanes4{2, 6, 3, 7});
  const Floats c = __builtin_shuffle(v[2], v[3], Lanes4{0, 4, 1, 5}),
               d = __builtin_shuffle(v[2], v[3], Lanes4{2, 6, 3, 7});
  v[0] = __builtin_shuffle(a, c, Lanes4{0, 1, 4, 5});
  v[1] = __builtin_shuffle(a, c, Lanes4{2, 3, 6, 7});
  v[2] = __builtin_shuffle(b, d, Lanes4{0, 1, 4, 5});
  v[3] = __builtin_shuffle(b, d, Lanes4{2, 3, 6, 7});
}
#endif

// Loads a square matrix whose columns lie `stride` apart, each contiguous: v[l] is its row l.
template <class T>
inline void load_transposed(Vector<T>* v, const T* from, std::ptrdiff_t stride) {
  RECURRA_UNROLL
  for (std::size_t l = 0; l < width_of<T>; ++l) v[l] = load(from + (std::ptrdiff_t)l * stride);
  transpose<T>(v);
}

#if RECURRA_LANES == 8
// The same, where halves of vectors are put together while they are loaded, so that fewer are shuffled.
template <>
inline void load_transposed<float>(Floats* v, const float* from, std::ptrdiff_t stride) {
  RECURRA_UNROLL
  for (int k = 0; k < 8; k += 4, from += 4) {
    __m256d a[4];  // pairs of columns l and l + 4
    RECURRA_UNROLL
    for (int l = 0; l < 4; l += 2) {
      __m256 halves[2];
      RECURRA_UNROLL
      for (int i = 0; i < 2; ++i) {
        const float* low = from + (l + i) * stride;
        halves[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(low + 4 * stride), 1);
      }
      a[l] = (__m256d)_mm256_unpacklo_ps(halves[0], halves[1]);
      a[l + 1] = (__m256d)_mm256_unpackhi_ps(halves[0], halves[1]);
    }
    v[k] = (Floats)_mm256_unpacklo_pd(a[0], a[2]);
    v[k + 1] = (Floats)_mm256_unpackhi_pd(a[0], a[2]);
    v[k + 2] = (Floats)_mm256_unpacklo_pd(a[1], a[3]);
    v[k + 3] = (Floats)_mm256_unpackhi_pd(a[1], a[3]);
  }
}
#endif

// Packs one vector's column of a panel from a matrix that is contiguous along k (row_stride 1).
template <class T>
inline void pack_transposed(T* panel, std::size_t k_count, const Source<T>& source, std::size_t stride) {
  constexpr std::size_t n = width_of<T>;
  std::size_t k = 0;
  for (; k + n <= k_count; k += n) {
    Vector<T> v[n];
    if (source.valid == n) {
      load_transposed<T>(v, source.base + k, source.column_stride);
    } else {
      for (std::size_t l = 0; l < n; ++l) {
        v[l] = l < source.valid ? load(source.base + (std::ptrdiff_t)l * source.column_stride + k) : Vector<T>{};
      }
      transpose<T>(v);
    }
    RECURRA_UNROLL
    for (std::size_t l = 0; l < n; ++l) store(panel + (k + l) * stride, v[l]);
  }
  for (; k < k_count; ++k) {
    for (std::size_t l = 0; l < n; ++l) {
      panel[k * stride + l] = l < source.valid ? source.base[(std::ptrdiff_t)l * source.column_stride + k] : T(0);
    }
  }
}

template <class T>
void pack(T* panel, std::size_t k_count, const Source<T>* sources, std::size_t vectors) {
  constexpr std::size_t n = width_of<T>;
  const std::size_t stride = vectors * n;
  for (std::size_t v = 0; v < vectors; ++v) {
    const Source<T>& source = sources[v];
    T* out = panel + v * n;
    if (source.column_stride == 1) {
      if (source.valid == n) {
        for (std::size_t k = 0; k < k_count; ++k) store(out + k * stride, load(source.base + k * source.row_stride));
      } else {
        for (std::size_t k = 0; k < k_count; ++k) {
          store(out + k * stride, load_part(source.base + k * source.row_stride, source.valid));
        }
      }
    } else if (source.row_stride == 1) {
      pack_transposed(out, k_count, source, stride);
    } else {
      for (std::size_t k = 0; k < k_count; ++k) {
        for (std::size_t l = 0; l < n; ++l) {
          out[k * stride + l] =
              l < source.valid
                  ? source.base[(std::ptrdiff_t)k * source.row_stride + (std::ptrdiff_t)l * source.column_stride]
                  : T(0);
        }
      }
    }
  }
}

// ---- rows times a packed matrix ----

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

// Calls f(begin, length) for each chain; once if there is nothing to sum.
template <class Function>
inline void each_chain(std::size_t k_count, Function f) {
  std::size_t begin = 0;
  do {
    const std::size_t length = k_count - begin < chain ? k_count - begin : chain;
    f(begin, length);
    begin += length;
  } while (begin < k_count);
}

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

// Multiplies all rows by one panel, and brings the next one from farther caches meanwhile: a little with each tile, as a
// core waits for few lines at a time.
template <class T, int N>
inline void panel_ahead_times(const T* const* a, std::size_t rows, std::size_t k_count, const Packed<T>& matrix,
                              const Column<T>* columns) {
  const T* ahead = matrix.panels + k_count * N * width_of<T>;
  const T* end = ahead + k_count * N * width_of<T>;
  const std::size_t tiles = (rows + tile_rows - 1) / tile_rows;
  each_tile<tile_rows>(rows, [&]<int R>(std::size_t row) {
    each_chain(k_count, [&](std::size_t begin, std::size_t length) {
      const auto multiply_with = [&]<int A>() {
        tile<T, Form::wide, R, N, 1, A>(a, row, begin, length, {matrix, k_count, begin}, columns, ahead);
        ahead += length * A / 2 * width_of<T>;
      };
      if (ahead >= end) multiply_with.template operator()<0>();
      else if (tiles >= 2 * N) multiply_with.template operator()<1>();
      else if (tiles >= N) multiply_with.template operator()<2>();
      else multiply_with.template operator()<4>();
    });
  });
}

// Multiplies all rows by one panel.
template <class T, Form F, int N>
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
  each_tile<tile_rows_of<F>>(rows, [&]<int R>(std::size_t row) {
    each_chain(k_count, [&](std::size_t begin, std::size_t length) {
      tile<T, F, R, N, 1>(a, row, begin, length, {matrix, k_count, begin}, columns);
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
      for (; v + 2 * V <= vectors; v += V) panel_ahead_times<T, V>(a, rows, k, from(v), columns + v);
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
