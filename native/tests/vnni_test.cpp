// Compares kernels whose products of bytes are those of AVX512_VNNI, written in plain C++, with the target's own.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "kernels.h"

namespace recurra {
extern const Kernels kernels_plain, kernels_emulated;
}

template <class T>
static T drawn(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return static_cast<T>(static_cast<std::int32_t>(state) >> 8);
}

// The results of floats and of bytes, by the kernels of one table.
static std::vector<float> results(const recurra::Kernels& kernels, const recurra::Routines<float>& r, std::size_t rows,
                                  std::size_t k, std::size_t columns) {
  std::uint32_t state = 1;
  const std::size_t vectors = (columns + r.lanes - 1) / r.lanes, width = vectors * r.lanes;
  std::vector<float> a(rows * k), b(k * width), out(rows * width), init(r.lanes);
  for (float& x : a) x = drawn<float>(state);
  for (float& x : b) x = drawn<float>(state);
  std::vector<float> panels(recurra::words_of(recurra::Form::integer, k) * width);
  std::vector<recurra::Column<float>> to;
  for (std::size_t v = 0; v < vectors; ++v) {
    const recurra::Source<float> source{b.data() + v * r.lanes, static_cast<std::ptrdiff_t>(width), 1, r.lanes};
    to.push_back({out.data() + v * r.lanes, static_cast<std::ptrdiff_t>(width), init.data(), 0});
    if (v % r.panel_vectors != 0) continue;
    std::vector<recurra::Source<float>> sources;
    for (std::size_t n = v; n < vectors && n < v + r.panel_vectors; ++n) {
      sources.push_back(source);
      sources.back().base = b.data() + n * r.lanes;
    }
    r.pack(panels.data() + recurra::words_of(recurra::Form::integer, k) * v * r.lanes, k, sources.data(),
           sources.size());
  }
  std::vector<const float*> at;
  for (std::size_t n = 0; n < rows; ++n) at.push_back(a.data() + n * k);
  r.multiply(at.data(), rows, k, {panels.data(), recurra::Form::integer}, to.data(), vectors);
  std::vector<std::uint8_t> bytes(rows * k);
  std::vector<std::int8_t> matrix(k * columns);
  for (auto& x : bytes) x = drawn<std::uint8_t>(state);
  for (auto& x : matrix) x = drawn<std::int8_t>(state);
  std::vector<std::uint32_t> packed((k + 3) / 4 * width);
  kernels.integers.pack(packed.data(), k, matrix.data(), static_cast<std::ptrdiff_t>(columns), 1, columns);
  std::vector<const std::uint8_t*> from;
  for (std::size_t n = 0; n < rows; ++n) from.push_back(bytes.data() + n * k);
  std::vector<std::int32_t> sums(rows * width);
  kernels.integers.multiply(from.data(), rows, k, packed.data(), sums.data(), static_cast<std::ptrdiff_t>(width),
                            vectors);
  for (std::size_t n = 0; n < rows; ++n) {
    for (std::size_t c = 0; c < columns; ++c) out.push_back(static_cast<float>(sums[n * width + c]));
  }
  return out;
}

// Sums of windows, by filters of 7 bits and of 8.
static std::vector<std::int32_t> windows(const recurra::IntegerRoutines& r, std::size_t filters, std::size_t k,
                                         std::size_t n) {
  std::uint32_t state = 2;
  std::vector<std::int32_t> all;
  for (const bool is_narrow : {false, true}) {
    std::vector<std::uint32_t> words(k + n + 64), packed(2 * filters * k);
    for (auto& x : words) x = drawn<std::uint32_t>(state);
    std::vector<std::int8_t> numbers(4 * filters * k);
    for (auto& x : numbers) x = static_cast<std::int8_t>(drawn<std::int8_t>(state) / (is_narrow ? 2 : 1));
    r.pack_filters(packed.data(), numbers.data(), filters * k, is_narrow);
    std::vector<std::ptrdiff_t> offsets;
    for (std::size_t i = 0; i < k; ++i) offsets.push_back(static_cast<std::ptrdiff_t>(i * 7 % k));
    const std::size_t width = n + 64;
    std::vector<std::int32_t> sums(filters * width);
    r.correlate(sums.data(), static_cast<std::ptrdiff_t>(width), packed.data(), filters, is_narrow, words.data(),
                offsets.data(), k, n);
    for (std::size_t f = 0; f < filters; ++f) {
      const auto row = sums.begin() + static_cast<std::ptrdiff_t>(f * width);
      all.insert(all.end(), row, row + static_cast<std::ptrdiff_t>(n));
    }
  }
  return all;
}

int main() {
  int different = 0;
  for (std::size_t k : {1, 4, 7, 16, 33, 130}) {
    for (std::size_t rows : {1, 2, 7, 13}) {
      for (std::size_t columns : {1, 9, 40}) {
        const recurra::Kernels &plain = recurra::kernels_plain, &emulated = recurra::kernels_emulated;
        different += results(plain, plain.int8, rows, k, columns) != results(emulated, emulated.int8, rows, k, columns);
        different +=
            results(plain, plain.uint8, rows, k, columns) != results(emulated, emulated.uint8, rows, k, columns);
        different += windows(recurra::kernels_plain.integers, rows, k, columns) !=
                     windows(recurra::kernels_emulated.integers, rows, k, columns);
      }
    }
  }
  std::printf("%d different", different);
}
