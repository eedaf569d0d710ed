#include "probe.h"

#include <algorithm>
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

// Rows times a packed matrix, for more rows and columns than a tile has, and for one row.
bool multiplies(const Routines<float>& r, Order order, float (*enters)(float)) {
  constexpr std::size_t rows = 19, k = chain + 37;
  const std::size_t vectors = r.panel_vectors + 1, width = vectors * r.lanes, valid = width - 3;
  Numbers numbers;
  std::vector<float> a = numbers.many(rows * k), b = numbers.many(k * valid);
  const std::vector<float> init = numbers.many(width);
  if (r.form == Form::wide) {
    for (std::vector<float>* each : {&a, &b}) std::transform(each->begin(), each->end(), each->begin(), enters);
  }
  std::vector<float> packed(words_of(r.form, k) * width);
  std::vector<Source<float>> sources;
  for (std::size_t v = 0; v < vectors; ++v) {
    const std::size_t at = v * r.lanes;
    sources.push_back({b.data() + at, static_cast<std::ptrdiff_t>(valid), 1, std::min(r.lanes, valid - at)});
  }
  for (std::size_t v = 0; v < vectors; v += r.panel_vectors) {
    r.pack(packed.data() + words_of(r.form, k) * v * r.lanes, k, sources.data() + v,
           std::min(r.panel_vectors, vectors - v));
  }
  std::vector<float> exact(rows * width);
  for (float& each : a) each = enters(each);
  for (float& each : b) each = enters(each);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < width; ++j) {
      const float first = init[j];
      exact[row * width + j] =
          j < valid ? chains(order, chain, first, a.data() + row * k, b.data() + j, 1, valid, k) : first;
    }
  }
  for (const std::size_t count : {rows, std::size_t(1)}) {
    std::vector<float> out(count * width);
    std::vector<Column<float>> columns;
    for (std::size_t v = 0; v < vectors; ++v) {
      columns.push_back({out.data() + v * r.lanes, static_cast<std::ptrdiff_t>(width), init.data() + v * r.lanes, 0});
    }
    r.multiply(pointers(a, count, k).data(), count, k, {packed.data(), r.form}, columns.data(), vectors);
    if (!same(out, std::vector<float>(exact.begin(), exact.begin() + static_cast<std::ptrdiff_t>(out.size())))) {
      return false;
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
  const Order order = kernels.bf16_order == Bf16Order::pairs ? in_pairs : in_blocks;
  std::string faults;
  const auto note = [&](bool is_right, const char* text) {
    if (!is_right) faults += (faults.empty() ? "" : ", ") + std::string(text);
  };
  note(multiplies(kernels.f32, ascending, shortened), "products of float32");
  note(adds_outer_products(kernels.f32, ascending, sums_strand, shortened), "sums of outer products of float32");
  note(multiplies(kernels.bf16, order, rounded), "products of bfloat16");
  note(adds_outer_products(kernels.bf16, order, strand, rounded), "sums of outer products of bfloat16");
  return faults;
}

}  // namespace recurra
