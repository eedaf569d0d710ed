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

template <class T>
void correlate(T* out, const T* weights, T init, const T* base, const std::ptrdiff_t* offsets, std::size_t k_count,
               std::size_t n, std::ptrdiff_t step) {
  each_vector<T>(n, [&](std::size_t i, std::size_t count) {
    const T* p = base + (std::ptrdiff_t)i * step;
    Vector<T> total = splat(init);
    each_chain(k_count, [&](std::size_t begin, std::size_t length) {
      Vector<T> sum = {};
      for (std::size_t k = begin; k < begin + length; ++k) {
        sum += splat<T>(weights[k]) * load_apart(p + offsets[k], step, count);
      }
      total += sum;
    });
    if (count == width_of<T>) store(out + i, total);
    else store_part(out + i, total, count);
  });
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
