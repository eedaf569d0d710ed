#include "probe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "subnormals.h"

namespace recurra {
namespace {

constexpr std::size_t chain = 128, strand = 64, sums_strand = 32;

// Numbers of full precision, of both signs, of sizes from 1/16 to 8; the same on every machine.
class Numbers {
 public:
  float next() {
    state_ = state_ * 1664525u + 1013904223u;
    const float fraction = static_cast<float>(state_ >> 8) * 0x1p-24f, size = static_cast<float>(1u << (state_ & 7));
    return (fraction - 0.5f) * size * 0.125f;
  }

  std::vector<float> many(std::size_t count) {
    std::vector<float> all(count);
    for (float& each : all) each = next();
    return all;
  }

 private:
  std::uint32_t state_ = 1;
};

float with_bits(float x, std::uint32_t half, std::uint32_t kept) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + half + ((bits & kept & (~kept + 1u)) != 0 ? 1u : 0u)) & kept;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

// The nearest bfloat16, ties to even.
float rounded(float x) { return with_bits(x, 0x7fffu, 0xffff0000u); }

// The nearest number of 12 bits: products of two are exact, so that fused and plain additions agree.
float shortened(float x) { return with_bits(x, 0x7ffu, 0xfffff000u); }

using Order = float (*)(const float* a, const float* b, std::size_t step_a, std::size_t step_b, std::size_t n);

// The sums of one chain.
float ascending(const float* a, const float* b, std::size_t step_a, std::size_t step_b, std::size_t n) {
  float sum = 0;
  for (std::size_t k = 0; k < n; ++k) sum += a[k * step_a] * b[k * step_b];
  return sum;
}

float in_pairs(const float* a, const float* b, std::size_t step_a, std::size_t step_b, std::size_t n) {
  float sum = 0;
  for (std::size_t k = 0; k < n; k += 2) {
    if (k + 1 < n) sum += a[(k + 1) * step_a] * b[(k + 1) * step_b];
    sum += a[k * step_a] * b[k * step_b];
  }
  return sum;
}

float in_blocks(const float* a, const float* b, std::size_t step_a, std::size_t step_b, std::size_t n) {
  float sum = 0;
  for (std::size_t begin = 0; begin < n; begin += 32) {
    float both[2] = {0, 0};
    for (std::size_t k = begin; k < std::min(n, begin + 32); ++k) both[k & 1] += a[k * step_a] * b[k * step_b];
    sum += both[0] + both[1];
  }
  return sum;
}

// The sum, rounded to odd: of the two nearest numbers the one whose last bit is set, where the sum is not exact.
float added_to_odd(float a, float b) {
  const float sum = a + b, of_b = sum - a, of_a = sum - of_b;
  const float left = (a - of_a) + (b - of_b);  // exact (Knuth, The Art of Computer Programming 2, 4.2.2)
  std::uint32_t bits;
  std::memcpy(&bits, &sum, sizeof bits);
  if (left == 0.0f || (bits & 1u) != 0) return sum;
  return std::nextafter(sum, left > 0.0f ? HUGE_VALF : -HUGE_VALF);
}

float in_dots(const float* a, const float* b, std::size_t step_a, std::size_t step_b, std::size_t n) {
  float sum = 0;
  for (std::size_t k = 0; k < n; k += 2) {
    const float second = k + 1 < n ? a[(k + 1) * step_a] * b[(k + 1) * step_b] : 0.0f;
    sum = added_to_odd(sum, added_to_odd(a[k * step_a] * b[k * step_b], second));
  }
  return sum;
}

Order order_of(Bf16Order order) {
  switch (order) {
    case Bf16Order::pairs: return in_pairs;
    case Bf16Order::blocks: return in_blocks;
    case Bf16Order::dots: return in_dots;
  }
  return nullptr;
}

// The sum of chains of this length, added to what it begins with.
float chains(Order order, std::size_t length, float sum, const float* a, const float* b, std::size_t step_a,
             std::size_t step_b, std::size_t n) {
  for (std::size_t k = 0; k < n; k += length) {
    sum += order(a + k * step_a, b + k * step_b, step_a, step_b, std::min(length, n - k));
  }
  return sum;
}

std::vector<const float*> pointers(const std::vector<float>& matrix, std::size_t rows, std::size_t width) {
  std::vector<const float*> all;
  for (std::size_t row = 0; row < rows; ++row) all.push_back(matrix.data() + row * width);
  return all;
}

bool same(const std::vector<float>& one, const std::vector<float>& other) {
  return std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0;
}

// Rows times a matrix: more rows and columns than a tile has.
struct Problem {
  static constexpr std::size_t rows = 19, k = chain + 37;
  std::size_t vectors, width, valid;
  std::vector<float> a, b, init;

  explicit Problem(const Routines<float>& r)
      : vectors(r.panel_vectors + 1), width(vectors * r.lanes), valid(width - 3) {
    Numbers numbers;
    a = numbers.many(rows * k), b = numbers.many(k * valid), init = numbers.many(width);
  }
};

// Whether the product is exactly this, for all rows and for one.
bool gives(const Routines<float>& r, const Problem& p, const std::vector<float>& exact) {
  std::vector<float> packed(words_of(r.form, p.k) * p.width);
  std::vector<Source<float>> sources;
  for (std::size_t v = 0; v < p.vectors; ++v) {
    const std::size_t at = v * r.lanes;
    sources.push_back({p.b.data() + at, static_cast<std::ptrdiff_t>(p.valid), 1, std::min(r.lanes, p.valid - at)});
  }
  for (std::size_t v = 0; v < p.vectors; v += r.panel_vectors) {
    r.pack(packed.data() + words_of(r.form, p.k) * v * r.lanes, p.k, sources.data() + v,
           std::min(r.panel_vectors, p.vectors - v));
  }
  for (const std::size_t count : {p.rows, std::size_t(1)}) {
    std::vector<float> out(count * p.width);
    std::vector<Column<float>> columns;
    for (std::size_t v = 0; v < p.vectors; ++v) {
      columns.push_back(
          {out.data() + v * r.lanes, static_cast<std::ptrdiff_t>(p.width), p.init.data() + v * r.lanes, 0});
    }
    r.multiply(pointers(p.a, count, p.k).data(), count, p.k, {packed.data(), r.form}, columns.data(), p.vectors);
    if (!same(out, std::vector<float>(exact.begin(), exact.begin() + static_cast<std::ptrdiff_t>(out.size())))) {
      return false;
    }
  }
  return true;
}

// Products of floats whose operands are rounded by `enters`.
bool multiplies(const Routines<float>& r, Order order, float (*enters)(float)) {
  Problem p(r);
  std::vector<float> a = p.a, b = p.b, exact(p.rows * p.width);
  for (std::vector<float>* each : {&a, &b}) std::transform(each->begin(), each->end(), each->begin(), enters);
  if (r.form == Form::wide) p.a = a, p.b = b;
  for (std::size_t row = 0; row < p.rows; ++row) {
    for (std::size_t j = 0; j < p.width; ++j) {
      const float first = p.init[j];
      exact[row * p.width + j] =
          j < p.valid ? chains(order, chain, first, a.data() + row * p.k, b.data() + j, 1, p.valid, p.k) : first;
    }
  }
  return gives(r, p, exact);
}

// Numbers rounded to whole ones, with their scale.
struct Whole {
  float scale;
  std::vector<std::int32_t> numbers;

  Whole(const float* from, std::size_t step, std::size_t count) {
    float most = 0;
    for (std::size_t k = 0; k < count; ++k) most = std::max(most, std::abs(from[k * step]));
    scale = most / 127;
    const float inverse = 127 / most;
    for (std::size_t k = 0; k < count; ++k) {
      const float shifted = from[k * step] * inverse;
      numbers.push_back(static_cast<std::int32_t>((shifted + 0x1.8p23f) - 0x1.8p23f));
    }
  }
};

// Products of floats whose rows and columns are rounded to whole numbers of 8 bits.
bool multiplies_integers(const Routines<float>& r) {
  const Problem p(r);
  std::vector<float> exact(p.rows * p.width);
  for (std::size_t row = 0; row < p.rows; ++row) {
    const Whole a(p.a.data() + row * p.k, 1, p.k);
    for (std::size_t j = 0; j < p.width; ++j) {
      float& result = exact[row * p.width + j] = p.init[j];
      if (j >= p.valid) continue;
      const Whole b(p.b.data() + j, p.valid, p.k);
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < p.k; ++k) sum += a.numbers[k] * b.numbers[k];
      result += static_cast<float>(sum) * (a.scale * b.scale);
    }
  }
  return gives(r, p, exact);
}

// Products of floats whose rows are rounded to 8 bits by their range, with columns of whole numbers.
bool multiplies_ranged(const Routines<float>& r) {
  Problem p(r);
  const Whole b(p.b.data(), 1, p.b.size());
  std::copy(b.numbers.begin(), b.numbers.end(), p.b.begin());
  std::vector<float> exact(p.rows * p.width);
  for (std::size_t row = 0; row < p.rows; ++row) {
    const float* a = p.a.data() + row * p.k;
    float least = 0, most = 0;
    for (std::size_t k = 0; k < p.k; ++k) least = std::min(least, a[k]), most = std::max(most, a[k]);
    const float scale = (most - least) / 255.0f, zero = std::nearbyint(-least / scale);
    for (std::size_t j = 0; j < p.width; ++j) {
      float& result = exact[row * p.width + j] = p.init[j];
      if (j >= p.valid) continue;
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < p.k; ++k) {
        const float number = std::nearbyint(std::clamp(a[k] / scale, -zero, 255.0f - zero));
        sum += static_cast<std::int32_t>(number) * b.numbers[k * p.valid + j];
      }
      result += static_cast<float>(sum) * scale;
    }
  }
  return gives(r, p, exact);
}

// Products of bytes.
bool multiplies_bytes(const IntegerRoutines& r, std::size_t lanes) {
  constexpr std::size_t rows = 7, k = 21;
  const std::size_t columns = 2 * lanes;
  std::vector<std::uint8_t> a(rows * k);
  std::vector<std::int8_t> b(k * columns);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<std::uint8_t>(255 - 37 * i);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::int8_t>(101 * i + 128);
  std::vector<std::uint32_t> panels((k + 3) / 4 * columns);
  r.pack(panels.data(), k, b.data(), static_cast<std::ptrdiff_t>(columns), 1, columns);
  std::vector<std::int32_t> sums(rows * columns);
  std::vector<const std::uint8_t*> at;
  for (std::size_t row = 0; row < rows; ++row) at.push_back(a.data() + row * k);
  r.multiply(at.data(), rows, k, panels.data(), sums.data(), static_cast<std::ptrdiff_t>(columns), 2);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < columns; ++j) {
      std::int32_t sum = 0;
      for (std::size_t i = 0; i < k; ++i) sum += a[row * k + i] * b[i * columns + j];
      if (sum != sums[row * columns + j]) return false;
    }
  }
  return true;
}

// Convolutions of bytes, by filters whose pairs of products fit into 16 bits, and by others.
bool correlates_bytes(const IntegerRoutines& r, std::size_t lanes) {
  constexpr std::size_t filters = 7, k = 5;
  const std::size_t n = 5 * lanes;
  const std::vector<std::ptrdiff_t> offsets = {0, 3, 1, 8, 6};
  std::vector<std::uint32_t> words(n + lanes + 8);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = 0x9e3779b9u * static_cast<std::uint32_t>(i + 1);
  for (const bool is_narrow : {false, true}) {
    std::vector<std::int8_t> numbers(4 * filters * k);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto full = static_cast<std::int8_t>(101 * i + 128);
      numbers[i] = is_narrow ? static_cast<std::int8_t>(full / 2) : full;
    }
    std::vector<std::uint32_t> packed(2 * filters * k);
    r.pack_filters(packed.data(), numbers.data(), filters * k, is_narrow);
    std::vector<std::int32_t> sums(filters * (n + lanes));
    r.correlate(sums.data(), static_cast<std::ptrdiff_t>(n + lanes), packed.data(), filters, is_narrow, words.data(),
                offsets.data(), k, n);
    for (std::size_t f = 0; f < filters; ++f) {
      for (std::size_t j = 0; j < n; ++j) {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < 4 * k; ++i) {
          const std::uint32_t word = words[static_cast<std::size_t>(offsets[i / 4]) + j];
          sum += static_cast<std::int32_t>(word >> 8 * (i % 4) & 0xffu) * numbers[4 * f * k + i];
        }
        if (sum != sums[f * (n + lanes) + j]) return false;
      }
    }
  }
  return true;
}

// Sums over rows of outer products.
bool adds_outer_products(const Routines<float>& r, Order order, std::size_t length, float (*enters)(float)) {
  constexpr std::size_t rows = strand + 3, k = 21;
  const std::size_t width = r.lanes;
  Numbers numbers;
  std::vector<float> a = numbers.many(rows * k), b = numbers.many(rows * width), out(k * width), exact(k * width);
  for (float& each : a) each = enters(each);
  for (float& each : b) each = enters(each);
  r.outer(out.data(), static_cast<std::ptrdiff_t>(width), pointers(a, rows, k).data(), pointers(b, rows, width).data(),
          rows, k, 1, false);
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      exact[i * width + j] = chains(order, length, 0.0f, a.data() + i, b.data() + j, k, width, rows);
    }
  }
  return same(out, exact);
}

}  // namespace

std::string fault_of(const Kernels& kernels) {
  const FlushSubnormals flush;
  const Order order = order_of(kernels.bf16_order);
  std::string faults;
  const auto note = [&](bool is_right, const char* text) {
    if (!is_right) faults += (faults.empty() ? "" : ", ") + std::string(text);
  };
  note(multiplies(kernels.f32, ascending, shortened), "products of float32");
  note(adds_outer_products(kernels.f32, ascending, sums_strand, shortened), "sums of outer products of float32");
  note(multiplies(kernels.bf16, order, rounded), "products of bfloat16");
  note(adds_outer_products(kernels.bf16, order, strand, rounded), "sums of outer products of bfloat16");
  note(multiplies_integers(kernels.int8), "products of int8");
  note(multiplies_ranged(kernels.uint8), "products of uint8");
  note(multiplies_bytes(kernels.integers, kernels.lanes), "products of bytes");
  note(correlates_bytes(kernels.integers, kernels.lanes), "convolutions of bytes");
  return faults;
}

}  // namespace recurra
