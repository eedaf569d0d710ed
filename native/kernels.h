// The kernels of one instruction set: a table of facts and function pointers, filled by native/targets/<isa>.cpp.
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

// The memory of a value's rows. Vector v of row r is at base + r * row_stride + v * lanes * column_step.
template <class T>
struct Slot {
  T* base;
  std::ptrdiff_t row_stride;  // elements
  std::int32_t column_step;   // 1, or 0 for one number that is broadcast over features
  std::int32_t is_block;      // 1 for a temporary, which has the same base in every block
};

struct MicroOp {
  Op op;
  std::int32_t result, a, b, c;  // numbers of slots
  std::int32_t width;            // elements per row, for load and store
};

// One vector of columns of a product: the memory that its sums begin with, and that of its results.
template <class T>
struct Column {
  T* out;
  std::ptrdiff_t out_stride;
  const T* init;
  std::ptrdiff_t init_stride;
};

// The source of one vector of a packed matrix: element (k, lane) is base[k * row_stride + lane * column_stride].
template <class T>
struct Source {
  const T* base;
  std::ptrdiff_t row_stride, column_stride;
  std::size_t valid;  // lanes that have a source; the others are packed as zeros
};

// The form in which a packed matrix holds its numbers. In quantized forms, numbers of consecutive k in one column share
// a word as large as a float, the first in the lowest bits. Widening gives the same floats, so results are the same.
enum class Form : std::uint8_t {
  wide,             // one number in a word
  bfloat16,         // two in a word, each the upper half of a float
  int8_of_columns,  // four in a word; the scale belongs to the column
  int8_of_rows,     // four in a word; the scale belongs to the k, and is held for each vector
  rounded,          // two in a word, rounded to bfloat16, as the rows are that it is multiplied by (Kernels::bf16)
  integer  // four in a word, rounded to 8 bits, as the rows are that it is multiplied by (Kernels::int8, uint8)
};

// `static`, as targets must not share functions that the compiler does not inline (README.md).
static constexpr std::size_t numbers_of_word(Form form) {
  return form == Form::wide ? 1 : form == Form::bfloat16 || form == Form::rounded ? 2 : 4;
}

// The k of a sum of whole numbers that cannot overflow 32 bits.
constexpr std::size_t integer_chain = 16384;

// The number of chains that k numbers are cut into; at least one.
static constexpr std::size_t integer_chains(std::size_t k) {
  return k <= integer_chain ? 1 : (k + integer_chain - 1) / integer_chain;
}

// The number of rows of words in a panel with k rows of numbers. The form `integer` has more: the scales of the columns,
// the sums of each chain, and whether the numbers are narrow (kernels_integer.inl).
static constexpr std::size_t words_of(Form form, std::size_t k) {
  const std::size_t words = (k + numbers_of_word(form) - 1) / numbers_of_word(form);
  return form == Form::integer ? words + 2 + integer_chains(k) : words;
}

// The number of scales of one vector.
static constexpr std::size_t scales_of(Form form, std::size_t k, std::size_t lanes) {
  return form == Form::int8_of_columns ? lanes : form == Form::int8_of_rows ? k : 0;
}

// A packed matrix: its panels one after the other. Each row of a panel is at most panel_vectors whole vectors. Scales
// of rows lie likewise: for each panel, for each k, one for each vector. All scales are stored times 2^-24.
template <class T>
struct Packed {
  const T* panels = nullptr;
  Form form = Form::wide;
  const T* scales = nullptr;
};

// The packed matrix from a panel's first vector on.
template <class T>
static Packed<T> packed_from(const Packed<T>& matrix, std::size_t vector, std::size_t k, std::size_t lanes) {
  return {matrix.panels + words_of(matrix.form, k) * vector * lanes, matrix.form,
          matrix.scales + vector * scales_of(matrix.form, k, lanes)};
}

// The size of a matrix in the wide form, in bytes, from which on a quantized form is faster (docs/performance.md,
// "Narrow weights").
struct QuantizedFrom {
  std::size_t bfloat16, int8;
};

enum class Reduction : std::uint8_t { sum, mean, max };

template <class T>
struct Routines {
  std::size_t lanes;          // elements of one vector
  std::size_t panel_vectors;  // vectors side by side in one panel of a packed matrix
  std::size_t outer_vectors;  // vectors up to which `outer` is faster per vector; a multiple of panel_vectors
  // Rows of a result that `outer` takes together where it is fastest with whole rows; else 0.
  std::size_t outer_rows;
  // The fewest rows of a slice of the batch, where weights are large: with fewer, threads share their columns, of which
  // each then reads its part alone.
  std::size_t slice_rows;
  QuantizedFrom quantized_from;
  Form form;  // in which pack() packs: wide, rounded or integer

  // Packs one panel.
  void (*pack)(T* panel, std::size_t k, const Source<T>* sources, std::size_t vectors);

  // Copies numbers as they are, in the wide form.
  void (*gather)(T* panel, std::size_t k, const Source<T>* sources, std::size_t vectors);

  // Multiplies rows of A by the first `vectors` vectors of a packed matrix. Each result is `init` plus chains of
  // multiply-adds over ascending k. The length of chains is fixed, so results do not depend on the number of rows, nor
  // on how the work is cut.
  void (*multiply)(const T* const* a, std::size_t rows, std::size_t k, const Packed<T>& matrix,
                   const Column<T>* columns, std::size_t vectors);

  // Does the same with at most panel_vectors vectors of a matrix that is not packed. Returns false, and writes nothing,
  // if that is not faster: for many rows, or a matrix of which neither rows nor columns are contiguous.
  bool (*multiply_unpacked)(const T* const* a, std::size_t rows, std::size_t k, const Source<T>* sources,
                            const Column<T>* columns, std::size_t vectors);

  // c[i][j] = the sum over rows of a[row][i] * b[row][j], for i < k and j < vectors * lanes; with `more`, it is added
  // to c.
  void (*outer)(T* c, std::ptrdiff_t c_stride, const T* const* a, const T* const* b, std::size_t rows, std::size_t k,
                std::size_t vectors, bool more);

  // c[j] = the sum over rows of a[row][j]; with `more`, it is added to c.
  void (*rows_sum)(T* c, const T* const* a, std::size_t rows, std::size_t vectors, bool more);

  // Runs elementwise operations in order, on blocks that stay in the first-level cache.
  void (*elementwise)(const MicroOp* ops, std::size_t count, const Slot<T>* slots, std::size_t rows,
                      std::size_t vectors);

  // Reduces `width` elements of each row to one number, which fills a whole vector.
  void (*reduce)(Reduction kind, T* out, std::ptrdiff_t out_stride, const T* a, std::ptrdiff_t a_stride,
                 std::size_t rows, std::size_t width);

  // Windows begin at base, base + step, …; element k of each is at offsets[k] from its beginning. Nothing but the
  // elements of n windows is read.
  // Packs them: panel[k * stride + j] = element k of window j.
  void (*pack_windows)(T* panel, std::size_t stride, const T* base, const std::ptrdiff_t* offsets, std::size_t k,
                       std::size_t n, std::ptrdiff_t step);

  // out[f * out_stride + j] = init[f] plus the sum of weights[f * k + …] * the elements of window j, in the chains of
  // `multiply`; with `rectify`, negative results are zeros.
  void (*correlate)(T* out, std::ptrdiff_t out_stride, const T* weights, std::size_t filters, const T* init,
                    const T* base, const std::ptrdiff_t* offsets, std::size_t k, std::size_t n, std::ptrdiff_t step,
                    bool rectify);

  // out[j] = the largest of the elements of window j, NaN if one is NaN; or, for Reduction::sum, their sum.
  void (*pool)(Reduction kind, T* out, const T* base, const std::ptrdiff_t* offsets, std::size_t k, std::size_t n,
               std::ptrdiff_t step);
};

// Exact sums as floats: (sums + added) * factors. A step of 0 means one number for all.
struct Scaling {
  const std::int32_t* sums;
  const std::int32_t* added;  // null: nothing
  std::ptrdiff_t added_step;
  const float* factors;  // null: none
  std::ptrdiff_t factor_step;
};

// Products of whole numbers of 8 bits.
struct IntegerRoutines {
  // Packs a matrix: element (k, column) is base[k * row_stride + column * column_stride]. The panels have a word for every
  // four k of each column; columns are filled up with zeros to whole vectors.
  void (*pack)(std::uint32_t* panels, std::size_t k, const std::int8_t* base, std::ptrdiff_t row_stride,
               std::ptrdiff_t column_stride, std::size_t columns);

  // out[r * out_stride + j] = the sum over k of a[r][k] times element (k, j) of a packed matrix, modulo 2^32, for all
  // columns of its first `vectors` vectors.
  void (*multiply)(const std::uint8_t* const* a, std::size_t rows, std::size_t k, const std::uint32_t* panels,
                   std::int32_t* out, std::ptrdiff_t out_stride, std::size_t vectors);

  // words[q] = the bytes rows[0][q * step] … rows[3][q * step], the first in the lowest bits, with the bits of `flip`
  // changed.
  void (*interleave)(std::uint32_t* words, const std::uint8_t* const* rows, std::size_t n, std::ptrdiff_t step,
                     std::uint8_t flip);

  // Packs filters one after the other: four numbers for each of `words`. `packed` has room for two words for each; returns
  // the number of those that are used. Filters may be narrow if no two neighbours are above 128 or below -128 together.
  std::size_t (*pack_filters)(std::uint32_t* packed, const std::int8_t* numbers, std::size_t words, bool is_narrow);

  // out[f * out_stride + j] = the sum over k of the products of the four unsigned numbers of base[offsets[k] + j] and
  // the four of filter f, modulo 2^32. Reads and writes whole vectors, and so up to a vector behind n.
  void (*correlate)(std::int32_t* out, std::ptrdiff_t out_stride, const std::uint32_t* filters, std::size_t count,
                    bool is_narrow, const std::uint32_t* base, const std::ptrdiff_t* offsets, std::size_t k,
                    std::size_t n);

  // Rounds x / scale to the nearest whole numbers, ties to even, plus a zero point, within their range.
  void (*quantize)(std::uint8_t* out, const float* x, std::size_t n, float scale, float zero, bool is_signed);

  // out = (x - zero) * scale.
  void (*dequantize)(float* out, const std::uint8_t* x, std::size_t n, float scale, float zero, bool is_signed);

  // Widens the range from *least to *most, which holds 0, until it holds x.
  void (*range)(const float* x, std::size_t n, float* least, float* most);

  // out = scaled sums plus a bias (null: none, step 0: one number); with `is_rectified`, negative results are zeros.
  void (*scale_sums)(float* out, std::size_t n, const Scaling& sums, const float* bias, std::ptrdiff_t bias_step,
                     bool is_rectified);

  // out = scaled sums, rounded as by quantize().
  void (*round_sums)(std::uint8_t* out, std::size_t n, const Scaling& sums, float zero, bool is_signed);
};

// The order in which products of bfloat16 are added to a sum (docs/numerics.md).
enum class Bf16Order : std::uint8_t {
  pairs,   // pairs of k one after the other, of each pair the second first
  blocks,  // in blocks of 32 k, in each of which the sum of the odd ones is added to that of the even ones
  dots     // pairs of k one after the other, each of which is added up first; both additions round to odd
};

struct Kernels {
  const char* name;     // of the target, as RECURRA_ISA spells it
  std::size_t lanes;    // floats in one vector
  bool copies_strands;  // whether `outer` copies its operands to where they lie densely

  // Returns the sum of a[i] * b[i] over n floats; a and b have any alignment, and may be the same array. Lane l of one
  // vector sums the products at i = l, l + lanes, …; then the lanes are added in ascending order. So the rounding shows
  // which target ran.
  float (*dot)(const float* a, const float* b, std::size_t n);

  Routines<float> f32;
  Routines<double> f64;
  Routines<float> bf16;  // floats, but operands of products and of outer products are rounded to bfloat16
  Bf16Order bf16_order;
  bool has_bf16;         // whether there are instructions for these products, so that they are faster than those of f32
  Routines<float> int8;  // floats, but operands of products are rounded to whole numbers of 8 bits, with scales
  // Floats, but rows are rounded to 8 bits by their range. Columns are whole numbers from -127 to 127 times a scale.
  Routines<float> uint8;
  IntegerRoutines integers;
};

constexpr std::size_t block_vectors = 16;  // the maximum of vectors in one temporary of elementwise()

}  // namespace recurra
