// Packing of matrices for products, and the transposition of squares of numbers in vectors.

#if defined(__AVX512F__)
typedef int Lanes16 __attribute__((vector_size(64)));
typedef long long Lanes8 __attribute__((vector_size(64)));
#elif RECURRA_LANES == 8
typedef int Lanes8 __attribute__((vector_size(32)));
#elif RECURRA_LANES == 4
typedef int Lanes4 __attribute__((vector_size(16)));
#endif

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
