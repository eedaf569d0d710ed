// A schedule (recurra.compiler.Schedule) as numbers: what the executor runs. Made from a list of integers by decode(),
// which refuses whatever does not fit together, so that the executor can trust it.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace recurra {

// Where the elements of a value lie. Python has these as recurra._native.Space.
enum class Space : std::int64_t {
  constant,   // one for the call: `rows` rows of `width` elements, each row padded to whole vectors
  chunk,      // for each row of some steps
  step,       // for each row of one step
  state,      // what the step before handed on
  next,       // what this step hands on
  parameter,  // the caller's, one for the call, with any strides
  input,      // the caller's, for each row of all steps
  output,     // the caller's, for each row of all steps, written to
  block,      // a temporary of one elementwise instruction
  literal,    // a number
  count
};

// An elementwise operation's row of operations.def.
struct OperationFacts {
  const char* name;
  int operands;
};

const OperationFacts& facts_of(Op op);

struct Value {
  Space space;
  std::int64_t width;   // elements of one row
  std::int64_t rows;    // of a constant
  std::int64_t number;  // which parameter, input, output, state; of a temporary its place
  bool is_scalar;       // one number that every feature meets, held as a whole vector of it
  double literal;
};

// One column range of a matrix: where it comes from.
struct MatrixPart {
  std::int32_t value;  // a constant or a parameter
  std::int64_t row, column, width;
  bool transposed;  // whether value's columns are the matrix's rows
};

struct Matrix {
  std::int64_t k;
  int used;  // 0: at the beginning or end of a call, 1: for each chunk, 2: in each step
  std::vector<MatrixPart> parts;
};

struct ProductPart {
  std::int32_t result, init;  // init: a value, or -1 for zero
  std::int64_t init_offset;   // its first column
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
  bool external = false;  // reads or writes the caller's rows, so that one run is one step
};

struct Code {
  std::vector<Value> values;
  std::vector<Matrix> matrices;
  std::vector<std::int64_t> states;  // features of each
  std::int64_t parameters = 0, inputs = 0, outputs = 0;
  std::vector<std::int64_t> input_widths, output_widths, parameter_rows, parameter_widths;
  std::vector<Instruction> once, before, step, after, sums, finally_;
  std::vector<std::int32_t> results;  // constants that the caller gets: values
  std::int64_t beginnings = 0;        // how many first states `previous` instructions ask for
  std::int64_t blocks = 0;            // temporaries of the largest elementwise instruction
  std::int64_t chunk_rows = 0;        // how many rows a chunk should have
  std::int64_t tile_rows = 0;         // how many rows run through a step together
  bool opposite = false;              // a backward pass: reset is applied behind a step, not before it
};

// Throws std::invalid_argument where the numbers are no code.
Code decode(const std::vector<std::int64_t>& words, const std::vector<double>& literals, std::size_t lanes);

}  // namespace recurra
