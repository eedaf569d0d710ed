#include "byte_steps.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "integers.h"

namespace recurra {
namespace {

constexpr std::int64_t piece = 4096;  // elements, of which a thread takes some pieces

float zero_of(const Quanta& q, std::int64_t channel) {
  return q.zero == nullptr ? 0.0f : static_cast<float>(number_of(q.zero[channel * q.zero_step], q.is_signed));
}

// Calls f(first element, elements, channel) for the elements of arrays (outer, channels, inner), in pieces.
template <class F>
void each_piece(const Channels& sizes, bool is_one, int threads, double work, F f) {
  const std::int64_t inner = is_one ? sizes.outer * sizes.channels * sizes.inner : sizes.inner;
  const std::int64_t lines = is_one ? 1 : sizes.outer * sizes.channels, pieces = (inner + piece - 1) / piece;
  split_work(threads, work, lines * pieces, [&](auto begin, auto end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t line = n / pieces, at = n % pieces * piece, count = std::min(piece, inner - at);
      f(line * inner + at, static_cast<std::size_t>(count), line % sizes.channels);
    }
  });
}

// From floats to 8-bit numbers that stand for them, or back.
template <class From, class To>
class Conversion : public Step {
 public:
  using Routine = void (*)(To*, const From*, std::size_t, float, float, bool);

  Conversion(const Channels& sizes, const From* x, const Quanta& quanta, To* y, int threads, Routine routine)
      : sizes_(sizes), x_(x), quanta_(quanta), y_(y), threads_(threads), routine_(routine) {
    work_ = static_cast<double>(sizes.outer * sizes.channels * sizes.inner);
  }

  void run() override {
    const bool is_one = quanta_.scale_step == 0 && quanta_.zero_step == 0;
    each_piece(sizes_, is_one, threads_, work_, [&](std::int64_t at, std::size_t n, std::int64_t channel) {
      routine_(y_ + at, x_ + at, n, quanta_.scale[channel * quanta_.scale_step], zero_of(quanta_, channel),
               quanta_.is_signed);
    });
  }

 private:
  Channels sizes_;
  const From* x_;
  Quanta quanta_;
  To* y_;
  int threads_;
  Routine routine_;
};

class DynamicQuantization : public Step {
 public:
  DynamicQuantization(const float* x, std::int64_t count, std::uint8_t* y, float* scale, std::uint8_t* zero,
                      int threads, const IntegerRoutines& routines)
      : x_(x), count_(count), y_(y), scale_(scale), zero_(zero), threads_(threads), r_(routines) {
    work_ = static_cast<double>(count);
    ranges_.resize(static_cast<std::size_t>((count + piece - 1) / piece));
  }

  void run() override {
    const Channels sizes{1, 1, count_};
    each_piece(sizes, true, threads_, work_ / 2, [&](std::int64_t at, std::size_t n, std::int64_t) {
      auto& [least, most] = ranges_[static_cast<std::size_t>(at / piece)];
      least = most = 0;
      r_.range(x_ + at, n, &least, &most);
    });
    float least = 0, most = 0;
    for (const auto& [low, high] : ranges_) least = std::min(least, low), most = std::max(most, high);
    const float spread = most - least;
    *scale_ = spread == 0 ? 1.0f : spread / 255.0f;
    const float below = -least;
    r_.quantize(zero_, &below, 1, *scale_, 0, false);
    each_piece(sizes, true, threads_, work_ / 2, [&](std::int64_t at, std::size_t n, std::int64_t) {
      r_.quantize(y_ + at, x_ + at, n, *scale_, *zero_, false);
    });
  }

 private:
  const float* x_;
  std::int64_t count_;
  std::uint8_t* y_;
  float* scale_;
  std::uint8_t* zero_;
  int threads_;
  const IntegerRoutines& r_;
  std::vector<std::pair<float, float>> ranges_;  // of each piece
};

class LookingUp : public Step {
 public:
  LookingUp(std::int64_t rows, std::int64_t columns, const ByteMatrix& x, const ByteMatrix& y,
            const std::vector<std::uint8_t>& table, int threads)
      : rows_(rows), columns_(columns), x_(x), y_(y), table_(table), threads_(threads) {
    work_ = static_cast<double>(rows * columns);
    bytes_ = table.size();
  }

  void run() override {
    const std::int64_t pieces = (columns_ + piece - 1) / piece;
    split_work(threads_, work_, rows_ * pieces, [&](auto begin, auto end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const std::int64_t at = n % pieces * piece, count = std::min(piece, columns_ - at);
        const std::uint8_t* x = x_.data + n / pieces * x_.row_stride + at * x_.column_step;
        std::uint8_t* y = y_.data + n / pieces * y_.row_stride + at;
        for (std::int64_t i = 0; i < count; ++i) y[i] = table_[x[i * x_.column_step]];
      }
    });
  }

 private:
  std::int64_t rows_, columns_;
  ByteMatrix x_, y_;
  std::vector<std::uint8_t> table_;
  int threads_;
};

class OperationsOnBytes : public Step {
 public:
  OperationsOnBytes(std::int64_t rows, std::int64_t columns, std::vector<ByteMatrix> matrices,
                    std::vector<Quanta> quanta, Chain<float> chain, int threads, const IntegerRoutines& routines)
      : rows_(rows),
        columns_(columns),
        matrices_(std::move(matrices)),
        quanta_(std::move(quanta)),
        chain_(std::move(chain)),
        threads_(threads),
        r_(routines) {
    work_ = static_cast<double>(rows * columns) * static_cast<double>(chain_.operations() + 2) / 2;
  }

  void run() override {
    constexpr std::int64_t part = 1024;  // of a row: its floats stay in the first-level cache
    const std::int64_t parts = (columns_ + part - 1) / part;
    const std::size_t count = matrices_.size();
    split_work(threads_, work_, rows_ * parts, [&](auto begin, auto end) {
      thread_local std::vector<float> floats;
      thread_local std::vector<Chain<float>::Array> arrays;
      floats.resize(count * (part + slack));
      for (std::int64_t n = begin; n < end; ++n) {
        const std::int64_t row = n / parts, at = n % parts * part, width = std::min(part, columns_ - at);
        arrays.clear();
        for (std::size_t m = 0; m < count; ++m) {
          const ByteMatrix& from = matrices_[m];
          float* own = floats.data() + m * (part + slack);
          const auto step = static_cast<std::int32_t>(from.column_step);
          arrays.push_back({own, 0, step});
          if (m + 1 == count) break;
          r_.dequantize(own, from.data + row * from.row_stride + at * step,
                        step == 0 ? 1 : static_cast<std::size_t>(width), *quanta_[m].scale, zero_of(quanta_[m], 0),
                        quanta_[m].is_signed);
        }
        chain_.run(arrays.data(), 1, static_cast<std::size_t>(width));
        const Quanta& last = quanta_.back();
        r_.quantize(matrices_.back().data + row * matrices_.back().row_stride + at, arrays.back().data,
                    static_cast<std::size_t>(width), *last.scale, zero_of(last, 0), last.is_signed);
      }
    });
  }

 private:
  std::int64_t rows_, columns_;
  std::vector<ByteMatrix> matrices_;
  std::vector<Quanta> quanta_;
  Chain<float> chain_;
  int threads_;
  const IntegerRoutines& r_;
};

}  // namespace

std::unique_ptr<Step> quantization(const Channels& sizes, const float* x, const Quanta& quanta, std::uint8_t* y,
                                   int threads, const IntegerRoutines& routines) {
  return std::make_unique<Conversion<float, std::uint8_t>>(sizes, x, quanta, y, threads, routines.quantize);
}

std::unique_ptr<Step> dequantization(const Channels& sizes, const std::uint8_t* x, const Quanta& quanta, float* y,
                                     int threads, const IntegerRoutines& routines) {
  return std::make_unique<Conversion<std::uint8_t, float>>(sizes, x, quanta, y, threads, routines.dequantize);
}

std::unique_ptr<Step> dynamic_quantization(const float* x, std::int64_t count, std::uint8_t* y, float* scale,
                                           std::uint8_t* zero, int threads, const IntegerRoutines& routines) {
  return std::make_unique<DynamicQuantization>(x, count, y, scale, zero, threads, routines);
}

std::unique_ptr<Step> looking_up(std::int64_t rows, std::int64_t columns, const ByteMatrix& x, const ByteMatrix& y,
                                 const std::vector<std::uint8_t>& table, int threads) {
  return std::make_unique<LookingUp>(rows, columns, x, y, table, threads);
}

std::unique_ptr<Step> operations_on_bytes(std::int64_t rows, std::int64_t columns, std::vector<ByteMatrix> matrices,
                                          std::vector<Quanta> quanta, Chain<float> chain, int threads,
                                          const IntegerRoutines& routines) {
  return std::make_unique<OperationsOnBytes>(rows, columns, std::move(matrices), std::move(quanta), std::move(chain),
                                             threads, routines);
}

}  // namespace recurra
