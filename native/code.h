// The code that the executor runs: a lowered schedule (recurra.compiler.Schedule). decode() makes it from a list of
// integers, and refuses code that does not fit together, so that the executor can trust it.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace recurra {

// The memory in which a value lies. Python has these as recurra._native.Space.
enum class Space : std::int64_t {
  constant,   // one for the call: `rows` rows of `width` elements, each row padded to whole vectors
  chunk,      // for each row of some steps
  step,       // for each row of one step
  state,      // a state before the step
  next,       // a state after the step
  parameter,  // the caller's, one for the call, with any strides
  input,      // the caller's, for each row of all steps
  output,     // the caller's, for each row of all steps, written to
  block,      // a temporary of one elementwise instruction
  literal,    // a number
  count
};

// The row of an elementwise operation in operations.def.
struct OperationFacts {
  const char* name;
  int operands;
};

const OperationFacts& facts_of(Op op);

struct Value {
  Space space;
  std::int64_t width;   // elements of one row
  std::int64_t rows;    // of a constant
  std::int64_t number;  // of the parameter, input, output, state or temporary
  bool is_scalar;       // one number, broadcast over features; it fills a whole vector
  double literal;
};

// A range of a matrix's columns, and its source.
struct MatrixPart {
  std::int32_t value;  // a constant or a parameter
  std::int64_t row, column, width;
  bool transposed;  // whether the value's columns are the matrix's rows
};

struct Matrix {
  std::int64_t k;
  int used;  // 0: at the beginning or end of a call, 1: for each chunk, 2: in each step
  std::vector<MatrixPart> parts;
};

struct ProductPart {
  std::int32_t result, init;  // init: the value that sums begin with, or -1 for zero
  std::int64_t init_offset;   // the first column of init
};

struct MovePart {
  std::int32_t result, source;
  std::int64_t to, from, count, step;
};

// Python has these as recurra._native.Instruction.
enum class Kind : std::int64_t {
  elementwise,
  product,
  reduce,
  cumulate,
  move,
  outer,
  rows_sum,
  gather,
  eye,
  total,
  previous,
  count
};

struct Instruction {
  Kind kind;
  std::int64_t rows = 0;   // of constants; else the rows of the run
  std::int64_t width = 0;  // elementwise: vectors; else elements
  std::int32_t result = -1, a = -1, b = -1;
  std::int64_t a_offset = 0, b_offset = 0, row = 0, k = 0, flag = 0;
  std::vector<MicroOp> ops;
  std::vector<ProductPart> parts;
  std::vector<MovePart> moves;
  bool external = false;  // reads or writes the caller's rows, so it runs for one step at a time
};

struct Code {
  std::vector<Value> values;
  std::vector<Matrix> matrices;
  std::vector<std::int64_t> states;  // features of each
  std::int64_t parameters = 0, inputs = 0, outputs = 0;
  std::vector<std::int64_t> input_widths, output_widths, parameter_rows, parameter_widths;
  std::vector<Instruction> once, before, step, after, sums, finally_;
  std::vector<std::int32_t> results;  // the values of constants that the caller gets
  std::int64_t beginnings = 0;        // the number of first states that `previous` instructions read
  std::int64_t blocks = 0;            // temporaries of the largest elementwise instruction
  std::int64_t chunk_rows = 0;        // the number of rows that a chunk should have
  std::int64_t tile_rows = 0;         // the number of rows that go through a step together
  bool opposite = false;              // a backward pass: resets apply after a step, not before it
};

// Throws std::invalid_argument if the words are not valid code.
Code decode(const std::vector<std::int64_t>& words, const std::vector<double>& literals, std::size_t lanes);

}  // namespace recurra
