#include "quantized.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace recurra {
namespace {

constexpr float folded = 0x1p-24f;        // factor of stored scales: kernels see 2^24 times the whole numbers
constexpr float least_scale = 0x1p-102f;  // the stored scale is then not denormal

std::uint32_t bits(float x) {
  std::uint32_t word;
  std::memcpy(&word, &x, sizeof word);
  return word;
}

// Rounds to the nearest whole number, ties to even; |x| < 2^22.
float rounded(float x) {
  constexpr float unit = 0x1.8p23f;  // from 2^23 on, floats are whole numbers
  return (x + unit) - unit;
}

// Whether the lower half of every number is zero.
bool is_bfloat16(const QuantizedPart& part) {
  for (std::size_t r = 0; r < part.rows; ++r) {
    const float* row = part.base + static_cast<std::ptrdiff_t>(r) * part.row_stride;
    std::uint32_t all = 0;
    for (std::size_t c = 0; c < part.columns; ++c)
      all |= bits(row[static_cast<std::ptrdiff_t>(c) * part.column_stride]);
    if (all & 0xffffu) return false;
  }
  return true;
}

// Whether every number equals float(q) * scale to the last bit, with a whole number q from -127 to 127.
bool fits(const float* row, std::ptrdiff_t stride, std::size_t count, float scale) {
  constexpr std::size_t block = 64;  // a wrong scale shows soon
  const float inverse = 1.0f / scale;
  std::uint32_t wrong = 0;
  for (std::size_t begin = 0; begin < count && wrong == 0; begin += block) {
    for (std::size_t c = begin; c < std::min(begin + block, count); ++c) {
      const float x = row[static_cast<std::ptrdiff_t>(c) * stride], q = rounded(x * inverse);
      wrong |= bits(q * scale) ^ bits(x);
      wrong |= std::abs(q) > 127.0f;
    }
  }
  return wrong == 0;
}

// The scale that fits every number of a row; 0 if there is none.
float scale_of(const float* row, std::ptrdiff_t stride, std::size_t count) {
  float most = 0;
  for (std::size_t c = 0; c < count; ++c) {
    const float x = std::abs(row[static_cast<std::ptrdiff_t>(c) * stride]);
    if (!(x <= std::numeric_limits<float>::max())) return 0;
    most = std::max(most, x);
  }
  if (most == 0) return fits(row, stride, count, 1) ? 1.0f : 0.0f;
  // The largest number is `whole` times the scale, rounded: 127 times, unless the scale belongs to more rows than this.
  // So the scale is the largest number divided by `whole`, rounded again, or a float next to it.
  for (int whole = 127; whole > 0; --whole) {
    float scale = std::nextafter(std::nextafter(most / static_cast<float>(whole), 0.0f), 0.0f);
    for (int n = 0; n < 5; ++n, scale = std::nextafter(scale, std::numeric_limits<float>::max())) {
      if (scale >= least_scale && fits(row, stride, count, scale)) return scale;
    }
  }
  return 0;
}

// Sets the scales of a part whose first vector is `at`; returns false if a row has none.
bool find_scales(const QuantizedPart& part, const PackedSizes& sizes, std::size_t at, std::size_t all, float* scales) {
  for (std::size_t r = 0; r < part.rows; ++r) {
    const float scale =
        scale_of(part.base + static_cast<std::ptrdiff_t>(r) * part.row_stride, part.column_stride, part.columns);
    if (scale == 0) return false;
    if (part.transposed) {
      scales[at * sizes.lanes + r] = scale * folded;
      continue;
    }
    for (std::size_t v = at; v < at + part.vectors; ++v) {
      const std::size_t panel = v / sizes.panel_vectors * sizes.panel_vectors;
      scales[panel * sizes.k + r * std::min(sizes.panel_vectors, all - panel) + v - panel] = scale * folded;
    }
  }
  return true;
}

// Whether the matrix fits the int8 form of `quantized`; if so, sets the scales.
bool is_int8(const std::vector<QuantizedPart>& parts, const PackedSizes& sizes, std::size_t all, Quantized& quantized) {
  quantized.scales.assign(all * scales_of(quantized.form, sizes.k, sizes.lanes), folded);
  std::size_t at = 0;
  for (const QuantizedPart& part : parts) {
    if (part.transposed != (quantized.form == Form::int8_of_columns)) return false;
    if (!find_scales(part, sizes, at, all, quantized.scales.data())) return false;
    at += part.vectors;
  }
  return true;
}

}  // namespace

Quantized choose_form(const std::vector<QuantizedPart>& parts, const PackedSizes& sizes, const QuantizedFrom& from) {
  std::size_t all = 0;
  for (const QuantizedPart& part : parts) all += part.vectors;
  const std::size_t bytes = sizes.k * all * sizes.lanes * sizeof(float);
  if (bytes >= from.int8) {
    for (const Form form : {Form::int8_of_columns, Form::int8_of_rows}) {
      Quantized quantized{form, {}};
      if (is_int8(parts, sizes, all, quantized)) return quantized;
    }
  }
  if (bytes >= from.bfloat16 && std::all_of(parts.begin(), parts.end(), is_bfloat16)) return {Form::bfloat16, {}};
  return {};
}

void quantize_panel(Form form, const float* panel, std::size_t vectors, const PackedSizes& sizes, const float* scales,
                    float* quantized) {
  const std::size_t width = vectors * sizes.lanes, together = numbers_of_word(form);
  for (std::size_t first = 0; first < sizes.k; first += together) {
    for (std::size_t i = 0; i < width; ++i) {
      std::uint32_t word = 0;
      for (std::size_t j = 0; j < together && first + j < sizes.k; ++j) {
        const float x = panel[(first + j) * width + i];
        if (form == Form::bfloat16) {
          word |= bits(x) >> 16 << (16 * j);
        } else {
          const float scale =
              form == Form::int8_of_columns ? scales[i] : scales[(first + j) * vectors + i / sizes.lanes];
          const auto q = static_cast<std::int32_t>(rounded(x * (folded / scale)));
          word |= (static_cast<std::uint32_t>(q) & 0xffu) << (8 * j);
        }
      }
      std::memcpy(quantized++, &word, sizeof word);
    }
  }
}

}  // namespace recurra
