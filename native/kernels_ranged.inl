// Products of whole numbers of 8 bits with floats that are rounded to such numbers by their range, as ONNX's
// DynamicQuantizeLinear rounds: from 0 to 255, of which one, the zero point, stands for 0.

// Rounds each row by its least and largest number, or 0.
struct ByRange {
  float scales[most_integer_rows], zeros[most_integer_rows];
  std::uint32_t offsets[most_integer_rows];

  void see(std::size_t r, const float* row, std::size_t k) {
    float least = 0, most = 0;
    const bool is_nan = widen_range(row, k, &least, &most);
    const float spread = most - least;
    scales[r] = is_nan ? __builtin_nanf("") : spread == 0 ? 1.0f : spread / 255.0f;
    const std::uint32_t zero = whole_within(splat(-least / scales[r]), Floats{}, splat(255.0f))[0];
    zeros[r] = (float)(std::int32_t)zero;
    offsets[r] = zero - 128u + offset;  // words hold a number less 128, plus `offset`
  }

  std::uint32_t round(std::uint32_t* words, std::size_t odd, const float* row, std::size_t length,
                      std::size_t r) const {
    const Floats scale = splat(scales[r]), least = splat(-zeros[r]), most = splat(255.0f - zeros[r]);
    const std::uint32_t zero = (std::uint32_t)(std::int32_t)zeros[r] - 128u;
    return round_to_integers(words, odd, row, length,
                             [&](Floats x) { return whole_within(x / scale, least, most) + zero; });
  }

  const std::uint32_t* offsets_of_rows() const { return offsets; }
};

// Routines::multiply of numbers rounded by their range.
void multiply_ranged(const float* const* a, std::size_t rows, std::size_t k, const Packed<float>& matrix,
                     const Column<float>* columns, std::size_t vectors) {
  multiply_roundings<ByRange>(a, rows, k, matrix, columns, vectors);
}
