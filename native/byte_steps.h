// Steps from floats to numbers of 8 bits and back, and from such numbers to others.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.h"
#include "steps.h"

namespace recurra {

// A scale and a zero point (null: 0), of one number each or for each channel; they are read in each run.
struct Quanta {
  const float* scale;
  const std::uint8_t* zero;
  bool is_signed;
  std::int64_t scale_step = 0, zero_step = 0;  // 0 for one number
};

// Arrays (outer, channels, inner), contiguous.
struct Channels {
  std::int64_t outer, channels, inner;
};

// y = x / scale, rounded, plus the zero point.
std::unique_ptr<Step> quantization(const Channels& sizes, const float* x, const Quanta& quanta, std::uint8_t* y,
                                   int threads, const IntegerRoutines& routines);

// y = (x - zero point) * scale.
std::unique_ptr<Step> dequantization(const Channels& sizes, const std::uint8_t* x, const Quanta& quanta, float* y,
                                     int threads, const IntegerRoutines& routines);

// Whole numbers for x, unsigned, by its own range, which also holds zero; their scale and zero point.
std::unique_ptr<Step> dynamic_quantization(const float* x, std::int64_t count, std::uint8_t* y, float* scale,
                                           std::uint8_t* zero, int threads, const IntegerRoutines& routines);

// A matrix of bytes, which broadcasts where a stride is 0; columns are contiguous.
struct ByteMatrix {
  std::uint8_t* data;
  std::int64_t row_stride, column_step;
};

// y = the entry of a table of 256 bytes for each byte of x.
std::unique_ptr<Step> looking_up(std::int64_t rows, std::int64_t columns, const ByteMatrix& x, const ByteMatrix& y,
                                 const std::vector<std::uint8_t>& table, int threads);

// Elementwise operations on the floats that matrices of bytes stand for. The last matrix is the result.
std::unique_ptr<Step> operations_on_bytes(std::int64_t rows, std::int64_t columns, std::vector<ByteMatrix> matrices,
                                          std::vector<Quanta> quanta, Chain<float> chain, int threads,
                                          const IntegerRoutines& routines);

}  // namespace recurra
