// Packs matrices for products of whole numbers: kernels_integer.inl says what a panel holds.

// The scale of a column whose largest magnitude has these bits, and its inverse: of whole numbers up to 127, the largest
// of which is 127. Where the column is whole numbers times a scale, `IsWhole` finds these.
template <bool IsWhole>
inline Scale scale_of_column(std::uint32_t bits, const float* column, std::size_t k_count, std::ptrdiff_t stride) {
  const Scale found = scale_of_bits(bits);
  if (!IsWhole || !(found.scale > 0)) return found;
  float most;
  __builtin_memcpy(&most, &bits, sizeof most);
  for (int largest = 1; largest <= 127; ++largest) {  // the smallest, so that numbers are narrow if they can be
    const float inverse = (float)largest / most;
    const auto is_whole = [&](std::size_t k) {
      const float x = column[(std::ptrdiff_t)k * stride] * inverse, far = x - ((x + 0x1.8p23f) - 0x1.8p23f);
      return -0x1p-14f <= far && far <= 0x1p-14f;  // the roundings of both numbers are half of that
    };
    std::size_t k = 0;
    while (k < k_count && is_whole(k)) ++k;
    if (k == k_count) return {most / (float)largest, inverse};
  }
  return found;
}

// Packs one panel: rounds its columns, each with a scale of its own.
template <bool IsWhole>
void pack_integers(float* panel, std::size_t k_count, const Source<float>* sources, std::size_t vectors) {
  constexpr std::size_t together = 32;  // a multiple of the lanes, so that they are transposed in registers
  float wide[together * panel_vectors * lanes];
  const std::size_t width = vectors * lanes;
  // Calls f(k, rows) for some rows at a time, which lie in `wide`.
  const auto each_rows = [&](auto f) {
    Source<float> from[panel_vectors];
    for (std::size_t k = 0; k < k_count; k += together) {
      const std::size_t count = k_count - k < together ? k_count - k : together;
      for (std::size_t v = 0; v < vectors; ++v) {
        from[v] = sources[v];
        from[v].base += (std::ptrdiff_t)k * sources[v].row_stride;
      }
      pack<float>(wide, count, from, vectors);
      f(k, count);
    }
  };
  Ints most[panel_vectors] = {};
  each_rows([&](std::size_t, std::size_t count) {
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t v = 0; v < vectors; ++v) {
        most[v] = larger_bits(most[v], load((const float*)wide + row * width + v * lanes));
      }
    }
  });
  float* const end = panel + (k_count + 3) / 4 * width;
  Floats inverses[panel_vectors];
  for (std::size_t v = 0; v < vectors; ++v) {
    for (std::size_t l = 0; l < lanes; ++l) {
      const float* column = sources[v].base + (std::ptrdiff_t)l * sources[v].column_stride;  // read if it has numbers
      const Scale scale = scale_of_column<IsWhole>((std::uint32_t)most[v][l], column, k_count, sources[v].row_stride);
      end[v * lanes + l] = scale.scale, inverses[v][l] = scale.inverse;
    }
    store(end + width + v * lanes, Floats{});
  }
  Words sums[panel_vectors] = {};
  Ints is_wide = {};
  each_rows([&](std::size_t first, std::size_t count) {
    for (std::size_t v = 0; v < vectors; ++v) {
      for (std::size_t row = 0; row < count; row += 4) {
        Words word = {};
        Ints numbers[4] = {};
        for (std::size_t j = 0; j < 4 && row + j < count; ++j) {
          const Words q = whole_numbers(load((const float*)wide + (row + j) * width + v * lanes), inverses[v]);
          word |= (q & 0xffu) << (8 * j);
          numbers[j] = (Ints)(q << 24) >> 24;
          sums[v] += (Words)numbers[j];
        }
        for (std::size_t j = 0; j < 4; j += 2) {  // the largest and the least sum that two products can have
          const Ints a = numbers[j], b = numbers[j + 1];
          is_wide |= ((a > 0 ? a : 0) + (b > 0 ? b : 0) > 128) | ((a < 0 ? a : 0) + (b < 0 ? b : 0) < -128);
        }
        store(panel + (first + row) / 4 * width + v * lanes, (Floats)word);
      }
      if ((first + count) % integer_chain == 0 || first + count == k_count) {
        store(end + (1 + first / integer_chain) * width + v * lanes, (Floats)sums[v]);
        sums[v] = Words{};
      }
    }
  });
  int any = 0;
  for (std::size_t l = 0; l < lanes; ++l) any |= is_wide[l];
  for (std::size_t v = 0; v < vectors; ++v) {
    store(end + (1 + integer_chains(k_count)) * width + v * lanes, splat(any == 0 ? 1.0f : 0.0f));
  }
}
