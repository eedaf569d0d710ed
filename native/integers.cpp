#include "integers.h"

#include <algorithm>
#include <cstring>

namespace recurra {
namespace {

// Numbers as unsigned ones, offset by 128 if they are signed.
std::int32_t as_unsigned(std::uint8_t x, bool is_signed) { return is_signed ? x ^ 0x80 : x; }

// Sums wrap at 2^32, as those of int32 do in numpy.
std::int32_t wrapped(std::int64_t x) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(x)); }

class IntegerProduct : public Step {
 public:
  IntegerProduct(const ByteArray& a, const std::uint8_t* zero, std::int64_t rows, const IntegerMatrix& matrix,
                 const Rescaling& y, int threads)
      : a_(a), zero_(zero), rows_(rows), matrix_(matrix), y_(y), threads_(threads) {
    work_ = static_cast<double>(rows * matrix.k()) * static_cast<double>(matrix.columns()) / 2;
    const bool is_one = y.b_scale.step == 0 && y.y_scale.step == 0;
    factors_.resize(!y.has_factors() ? 0 : is_one ? 1 : static_cast<std::size_t>(matrix.columns()));
  }

  void run() override {
    const std::int32_t zero = zero_ == nullptr ? 0 : number_of(*zero_, a_.is_signed);
    const std::int64_t blocks = (rows_ + block - 1) / block;
    for (std::size_t c = 0; c < factors_.size(); ++c) factors_[c] = y_.factor(static_cast<std::int64_t>(c));
    split_work(threads_, work_, blocks, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin * block; row < std::min(rows_, end * block); row += block) {
        some_rows(row, std::min(block, rows_ - row), zero);
      }
    });
  }

 private:
  static constexpr std::int64_t block = 24;  // rows

  void some_rows(std::int64_t first, std::int64_t count, std::int32_t zero) const {
    const std::int64_t stride = matrix_.stride(), columns = matrix_.columns();
    auto* sums = scratch<std::int32_t>(static_cast<std::size_t>(count * stride));
    ByteArray a = a_;
    a.data += first * a.row_stride;
    matrix_.multiply(a, count, zero, sums);
    Scaling scaled{sums, y_.added.data, y_.added.step, y_.has_factors() ? factors_.data() : nullptr,
                   factors_.size() == 1 ? 0 : 1};
    for (std::int64_t r = 0; r < count; ++r, scaled.sums += stride) {
      y_.write((first + r) * columns, static_cast<std::size_t>(columns), scaled, y_.bias, matrix_.routines());
    }
  }

  ByteArray a_;
  const std::uint8_t* zero_;
  std::int64_t rows_;
  const IntegerMatrix& matrix_;
  Rescaling y_;
  int threads_;
  std::vector<float> factors_;
};

}  // namespace

float Rescaling::factor(std::int64_t column) const {
  const float a = a_scale.data == nullptr ? 1.0f : a_scale.at(column);
  const float both = b_scale.data == nullptr ? a : a * b_scale.at(column);
  return bytes == nullptr ? both : both / y_scale.at(column);
}

void Rescaling::write(std::int64_t at, std::size_t n, const Scaling& scaled, const Numbers<float>& bias,
                      const IntegerRoutines& routines) const {
  if (sums != nullptr) std::memcpy(sums + at, scaled.sums, n * sizeof *sums);
  else if (floats != nullptr) routines.scale_sums(floats + at, n, scaled, bias.data, bias.step, is_rectified);
  else routines.round_sums(bytes + at, n, scaled, static_cast<float>(number_of(*y_zero, is_signed)), is_signed);
}

IntegerMatrix::IntegerMatrix(const ByteArray& b, std::int64_t k, std::int64_t columns,
                             const std::vector<std::int32_t>& zeros, const IntegerRoutines& routines, std::size_t lanes)
    : k_(k), columns_(columns), lanes_(lanes), routines_(routines), zeros_(zeros) {
  const auto width = static_cast<std::int64_t>(lanes);
  padded_ = (columns + width - 1) / width * width;
  std::vector<std::int8_t> numbers(static_cast<std::size_t>(k * columns));
  column_sums_.assign(static_cast<std::size_t>(columns), 0);
  for (std::int64_t row = 0; row < k; ++row) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const std::uint8_t x = b.data[row * b.row_stride + c * b.column_stride];
      const auto signed_number = static_cast<std::int8_t>(as_unsigned(x, b.is_signed) - 128);
      numbers[static_cast<std::size_t>(row * columns + c)] = signed_number;
      column_sums_[static_cast<std::size_t>(c)] += signed_number;
    }
  }
  for (std::int32_t& zero : zeros_) zero -= b.is_signed ? 0 : 128;
  has_zeros_ = std::any_of(zeros_.begin(), zeros_.end(), [](std::int32_t zero) { return zero != 0; });
  panels_.resize(static_cast<std::size_t>((k + 3) / 4 * padded_));
  routines.pack(panels_.data(), static_cast<std::size_t>(k), numbers.data(), columns, 1,
                static_cast<std::size_t>(columns));
}

void IntegerMatrix::multiply(const ByteArray& a, std::int64_t rows, std::int32_t zero, std::int32_t* sums) const {
  std::vector<std::uint8_t> moved;
  std::vector<const std::uint8_t*> at;
  if (a.is_signed) moved.resize(static_cast<std::size_t>(rows * k_));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::uint8_t* row = a.data + r * a.row_stride;
    if (a.is_signed) {
      std::uint8_t* own = moved.data() + r * k_;
      for (std::int64_t i = 0; i < k_; ++i) own[i] = row[i] ^ 0x80;
      row = own;
    }
    at.push_back(row);
  }
  routines_.multiply(at.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(k_), panels_.data(), sums,
                     padded_, static_cast<std::size_t>(padded_) / lanes_);
  const std::int64_t offset = zero + (a.is_signed ? 128 : 0);
  for (std::int64_t r = 0; r < rows; ++r, sums += padded_) {
    std::int64_t others = 0;
    if (has_zeros_) {
      for (std::int64_t i = 0; i < k_; ++i) others += at[static_cast<std::size_t>(r)][i];
      others -= k_ * offset;
    }
    for (std::int64_t c = 0; c < columns_; ++c) {
      const auto n = static_cast<std::size_t>(c);
      sums[c] = wrapped(sums[c] - offset * column_sums_[n] - zeros_[n] * others);
    }
  }
}

std::unique_ptr<Step> integer_product(const ByteArray& a, const std::uint8_t* zero, std::int64_t rows,
                                      const IntegerMatrix& matrix, const Rescaling& y, int threads) {
  return std::make_unique<IntegerProduct>(a, zero, rows, matrix, y, threads);
}

}  // namespace recurra
