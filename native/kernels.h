// What an instruction set offers: one table of facts and function pointers, filled by native/targets/<isa>.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace recurra {

// Elementwise operations, on whole vectors.
enum class Op : std::uint8_t {
#define RECURRA_OPERATION(name, operands) name,
#include "operations.def"
#undef RECURRA_OPERATION
  count
};

// Where the rows of a value lie. Row r, vector v is at base + r * row_stride + v * lanes * column_step.
template <class T>
struct Slot {
  T* base;
  std::ptrdiff_t row_stride;  // elements
  std::int32_t column_step;   // 1, or 0 for a number that every feature meets
  std::int32_t is_block;      // 1 for a temporary that lives in one block: its base is that of every block
};

struct MicroOp {
  Op op;
  std::int32_t result, a, b, c;  // numbers of slots
  std::int32_t width;            // elements per row, for load and store
};

// One vector of columns of a product: where its sums begin, and where they go.
template <class T>
struct Column {
  T* out;
  std::ptrdiff_t out_stride;
  const T* init;
  std::ptrdiff_t init_stride;
};

// Where one vector of a packed matrix comes from: element (k, lane) is base[k * row_stride + lane * column_stride].
template <class T>
struct Source {
  const T* base;
  std::ptrdiff_t row_stride, column_stride;
  std::size_t valid;  // lanes that there are; the others are packed as zeros
};

// How a packed matrix holds its numbers. In the quantized forms several of them, of consecutive k in one column, share
// a word as large as a float, the first in its lowest bits. Widened they are the same floats, so that results are the
// same.
enum class Form : std::uint8_t {
  wide,             // as they are
  bfloat16,         // two in a word, each the upper half of a float
  int8_of_columns,  // four in a word, each to be multiplied by the scale of its column
  int8_of_rows      // four in a word, each to be multiplied by the scale of its k, which there is for each vector
};

// `static`: targets must not share what the compiler does not inline (README.md).
static constexpr std::size_t numbers_of_word(Form form) {
  return form == Form::wide ? 1 : form == Form::bfloat16 ? 2 : 4;
}

// Rows of words in a panel with k rows of numbers.
static constexpr std::size_t words_of(Form form, std::size_t k) {
  return (k + numbers_of_word(form) - 1) / numbers_of_word(form);
}

// Scales of one vector.
static constexpr std::size_t scales_of(Form form, std::size_t k, std::size_t lanes) {
  return form == Form::int8_of_columns ? lanes : form == Form::int8_of_rows ? k : 0;
}

// A packed matrix is its panels one after the other, each of rows of (at most panel_vectors) whole vectors. Scales of
// rows lie likewise: for each panel, for each k, one for each vector. All scales are 2^-24 of what they stand for.
template <class T>
struct Packed {
  const T* panels = nullptr;
  Form form = Form::wide;
  const T* scales = nullptr;
};

// The same from a panel's first vector on.
template <class T>
static Packed<T> packed_from(const Packed<T>& matrix, std::size_t vector, std::size_t k, std::size_t lanes) {
  return {matrix.panels + words_of(matrix.form, k) * vector * lanes, matrix.form,
          matrix.scales + vector * scales_of(matrix.form, k, lanes)};
}

// Bytes of a matrix in the wide form from which on a quantized one pays (docs/performance.md, "Narrow weights").
struct QuantizedFrom {
  std::size_t bfloat16, int8;
};

enum class Reduction : std::uint8_t { sum, mean, max };

template <class T>
struct Routines {
  std::size_t lanes;          // elements of one vector
  std::size_t panel_vectors;  // vectors side by side in one panel of a packed matrix
  QuantizedFrom quantized_from;

  // One panel, in the wide form.
  void (*pack)(T* panel, std::size_t k, const Source<T>* sources, std::size_t vectors);

  // Rows of A times the first `vectors` vectors of a packed matrix. Each result is `init` plus chains of multiply-adds
  // over ascending k, of fixed length, whatever the number of rows, so results do not depend on how work is cut.
  void (*multiply)(const T* const* a, std::size_t rows, std::size_t k, const Packed<T>& matrix,
                   const Column<T>* columns, std::size_t vectors);

  // The same out of a matrix that is not packed, at most panel_vectors vectors of it. False where that is no gain: for
  // many rows, or a matrix of which neither rows nor columns lie together. Then nothing has been written.
  bool (*multiply_unpacked)(const T* const* a, std::size_t rows, std::size_t k, const Source<T>* sources,
                            const Column<T>* columns, std::size_t vectors);

  // c[i][j] = the sum over rows of a[row][i] * b[row][j], for i < k and j < vectors * lanes; or that much more.
  void (*outer)(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows, std::size_t k,
                std::size_t vectors, bool more);

  // c[j] = the sum over rows of a[row][j], or that much more.
  void (*rows_sum)(T* c, const T* const* a, std::size_t rows, std::size_t vectors, bool more);

  // Elementwise operations in order, on blocks that stay in the first-level cache.
  void (*elementwise)(const MicroOp* ops, std::size_t count, const Slot<T>* slots, std::size_t rows,
                      std::size_t vectors);

  // One number per row out of `width` elements, repeated over a whole vector.
  void (*reduce)(Reduction kind, T* out, std::ptrdiff_t out_stride, const T* a, std::ptrdiff_t a_stride,
                 std::size_t rows, std::size_t width);
};

struct Kernels {
  const char* name;   // the target's name, as RECURRA_ISA spells it
  std::size_t lanes;  // floats in one vector

  // Sum of a[i] * b[i] over n floats, both of any alignment; they may be the same array. Lane l of one vector sums the
  // products at i = l, l + lanes, …; then the lanes are added in ascending order. So the rounding shows which target
  // ran.
  float (*dot)(const float* a, const float* b, std::size_t n);

  Routines<float> f32;
  Routines<double> f64;
};

constexpr std::size_t block_vectors = 16;  // the most vectors of one temporary in elementwise()

}  // namespace recurra
