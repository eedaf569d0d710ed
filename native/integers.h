// Products of numbers of 8 bits minus their zero points, as steps: exact sums, which may be scaled and rounded again.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "steps.h"

namespace recurra {

// A number of 8 bits.
inline std::int32_t number_of(std::uint8_t x, bool is_signed) { return is_signed ? static_cast<std::int8_t>(x) : x; }

// An array of numbers of 8 bits; element (row, column) is at data + row * row_stride + column * column_stride.
struct ByteArray {
  const std::uint8_t* data;
  bool is_signed;
  std::ptrdiff_t row_stride, column_stride;
};

// A packed matrix (k, columns) of numbers minus their zero points, of which there is one for each column.
class IntegerMatrix {
 public:
  IntegerMatrix(const ByteArray& b, std::int64_t k, std::int64_t columns, const std::vector<std::int32_t>& zeros,
                const IntegerRoutines& routines, std::size_t lanes);

  std::int64_t k() const { return k_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t stride() const { return padded_; }  // of rows of sums
  const IntegerRoutines& routines() const { return routines_; }
  std::size_t bytes() const { return panels_.size() * sizeof(std::uint32_t); }

  // sums[r * stride() + c] = the sum over k of (a - zero) * element (k, c), modulo 2^32. Rows of a are contiguous.
  void multiply(const ByteArray& a, std::int64_t rows, std::int32_t zero, std::int32_t* sums) const;

 private:
  std::int64_t k_, columns_, padded_;
  std::size_t lanes_;
  const IntegerRoutines& routines_;
  std::vector<std::uint32_t> panels_;
  std::vector<std::int32_t> zeros_, column_sums_;
  bool has_zeros_;
};

// What becomes of sums: the result is of one kind. Arrays of one number or one for each column (of a convolution: each
// filter) are read in each run.
struct Rescaling {
  template <class T>
  struct Numbers {
    const T* data = nullptr;
    std::int64_t step = 0;  // 0 for one number
    T at(std::int64_t column) const { return data[column * step]; }
  };
  std::int32_t* sums = nullptr;   // the sums themselves
  float* floats = nullptr;        // or the sums times both scales (null: 1), plus a bias
  std::uint8_t* bytes = nullptr;  // or the sums times both scales, over y_scale, rounded, plus y_zero
  bool is_signed = false;         // bytes
  bool is_rectified = false;      // floats: negative results are zeros
  Numbers<float> a_scale, b_scale, bias, y_scale;
  Numbers<std::int32_t> added;  // to the sums, before all else; not for `sums`
  const std::uint8_t* y_zero = nullptr;

  bool has_factors() const { return a_scale.data != nullptr || b_scale.data != nullptr; }
  // The number by which a column's sums are multiplied.
  float factor(std::int64_t column) const;
  // Writes n neighbouring results, from element `at` of the result on.
  void write(std::int64_t at, std::size_t n, const Scaling& scaled, const Numbers<float>& bias,
             const IntegerRoutines& routines) const;
};

// y = the product of a, (rows, k), minus its zero point (null: 0), and a matrix, which must outlive the step.
std::unique_ptr<Step> integer_product(const ByteArray& a, const std::uint8_t* zero, std::int64_t rows,
                                      const IntegerMatrix& matrix, const Rescaling& y, int threads);

// Filters of a convolution, (filters, channels / groups, kernel…), contiguous, and a zero point for each.
struct IntegerFilters {
  const std::uint8_t* weights;
  bool is_signed;
  std::vector<std::int32_t> zeros;
};

// y = the cross-correlation of x, contiguous, minus its zero point (null: 0), with filters, which are packed. The padding
// has the zero point's number.
std::unique_ptr<Step> integer_convolution(const Windows& windows, const std::uint8_t* x, bool is_signed,
                                          const std::uint8_t* zero, const IntegerFilters& filters, const Rescaling& y,
                                          int threads, const Kernels& kernels);

}  // namespace recurra
