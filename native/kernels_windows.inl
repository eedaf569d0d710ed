// Convolution and pooling: rows of elements that lie `step` apart, read at one offset for each element of a window.

// Loads n elements that lie `step` apart, at most a whole vector; the other lanes are zeros. Reads nothing else.
template <class T>
inline Vector<T> load_apart(const T* p, std::ptrdiff_t step, std::size_t n) {
  constexpr std::size_t width = width_of<T>;
  if (step == 1) return n == width ? load(p) : load_part(p, n);
  if (step == 2 && n == width) {  // lane l is in the first vector at 2 l, or in the second, which begins at width - 1
    typedef decltype(Vector<T>{} < Vector<T>{}) Mask;
    Mask even;
    for (std::size_t l = 0; l < width; ++l) even[l] = 2 * l < width ? 2 * l : 2 * l + 1;
    return __builtin_shuffle(load(p), load(p + width - 1), even);
  }
  Vector<T> v = {};
  for (std::size_t l = 0; l < n; ++l) v[l] = p[(std::ptrdiff_t)l * step];
  return v;
}

// Calls f(first element, elements) for each vector of n elements.
template <class T, class Function>
inline void each_vector(std::size_t n, Function f) {
  for (std::size_t i = 0; i < n; i += width_of<T>) f(i, n - i < width_of<T> ? n - i : width_of<T>);
}

template <class T>
void pack_windows(T* panel, std::size_t stride, const T* base, const std::ptrdiff_t* offsets, std::size_t k_count,
                  std::size_t n, std::ptrdiff_t step) {
  for (std::size_t k = 0; k < k_count; ++k) {
    const T* p = base + offsets[k];
    T* out = panel + k * stride;
    each_vector<T>(n, [&](std::size_t i, std::size_t count) {
      const Vector<T> v = load_apart(p + (std::ptrdiff_t)i * step, step, count);
      if (count == width_of<T>) store(out + i, v);
      else store_part(out + i, v, count);
    });
  }
}

// A tile of R filters over V whole vectors of windows, or over a part of one (`count` < width, V = 1).
template <class T, int R, int V>
inline void correlate_tile(T* out, std::ptrdiff_t out_stride, const T* weights, const T* init, const T* base,
                           const std::ptrdiff_t* offsets, std::size_t k_count, std::size_t count, std::ptrdiff_t step,
                           bool rectify) {
  Vector<T> totals[R][V];
  RECURRA_UNROLL
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) totals[r][v] = splat<T>(init[r]);
  }
  each_chain(k_count, [&](std::size_t begin, std::size_t length) {
    Vector<T> sums[R][V] = {};
    const T* row = weights + begin;
    const auto run = [&](auto at) {
      for (std::size_t k = 0; k < length; ++k) {
        const T* p = base + offsets[begin + k];
        Vector<T> x[V];
        RECURRA_UNROLL
        for (int v = 0; v < V; ++v) x[v] = at(p, v);
        RECURRA_UNROLL
        for (int r = 0; r < R; ++r) {
          const Vector<T> w = splat<T>(row[(std::size_t)r * k_count + k]);
          RECURRA_UNROLL
          for (int v = 0; v < V; ++v) sums[r][v] += w * x[v];
        }
      }
    };
    constexpr std::ptrdiff_t width = (std::ptrdiff_t)width_of<T>;
    if (count < width_of<T>) run([&](const T* p, int) { return load_apart(p, step, count); });
    else if (step == 1) run([&](const T* p, int v) { return load(p + v * width); });
    else if (step == 2) run([&](const T* p, int v) { return load_apart(p + 2 * v * width, 2, width_of<T>); });
    else run([&](const T* p, int v) { return load_apart(p + v * width * step, step, width_of<T>); });
    RECURRA_UNROLL
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < V; ++v) totals[r][v] += sums[r][v];
    }
  });
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      Vector<T> total = totals[r][v];
      if (rectify) total = total <= Vector<T>{} ? Vector<T>{} : total;  // keeps NaN
      T* to = out + r * out_stride + v * (std::ptrdiff_t)width_of<T>;
      if (count == width_of<T>) store(to, total);
      else store_part(to, total, count);
    }
  }
}

template <class T>
void correlate(T* out, std::ptrdiff_t out_stride, const T* weights, std::size_t filters, const T* init, const T* base,
               const std::ptrdiff_t* offsets, std::size_t k_count, std::size_t n, std::ptrdiff_t step, bool rectify) {
  constexpr std::size_t width = width_of<T>;
  constexpr int most = panel_vectors;
  const auto tiles = [&]<int V>(std::size_t i, std::size_t count) {
    each_tile<tile_rows>(filters, [&]<int R>(std::size_t f) {
      correlate_tile<T, R, V>(out + f * out_stride + i, out_stride, weights + f * k_count, init + f,
                              base + (std::ptrdiff_t)i * step, offsets, k_count, count, step, rectify);
    });
  };
  if (n < width) return tiles.template operator()<1>(0, n);
  std::size_t i = 0;
  for (; i + most * width <= n; i += most * width) tiles.template operator()<most>(i, width);
  if constexpr (most > 2) {
    for (; i + 2 * width <= n; i += 2 * width) tiles.template operator()<2>(i, width);
  }
  for (; i + width <= n; i += width) tiles.template operator()<1>(i, width);
  if (i < n) tiles.template operator()<1>(n - width, width);  // computes some windows again, to the same bits
}

template <class T>
void pool(Reduction kind, T* out, const T* base, const std::ptrdiff_t* offsets, std::size_t k_count, std::size_t n,
          std::ptrdiff_t step) {
  each_vector<T>(n, [&](std::size_t i, std::size_t count) {
    const T* p = base + (std::ptrdiff_t)i * step;
    Vector<T> v = load_apart(p + offsets[0], step, count);
    for (std::size_t k = 1; k < k_count; ++k) {
      const Vector<T> next = load_apart(p + offsets[k], step, count);
      if (kind == Reduction::max) v = next > v || next != next ? next : v;  // keeps NaN
      else v += next;
    }
    if (count == width_of<T>) store(out + i, v);
    else store_part(out + i, v, count);
  });
}
