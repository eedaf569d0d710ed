#include "code.h"

#include "check.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace recurra {
namespace {

constexpr OperationFacts operation_facts[] = {
#define RECURRA_OPERATION(name, operands) {#name, operands},
#include "operations.def"
#undef RECURRA_OPERATION
};

constexpr std::int64_t most = std::int64_t(1) << 40;

struct Reader {
  const std::vector<std::int64_t>& words;
  const std::vector<double>& literals;
  std::size_t at = 0;
  Code code;

  [[noreturn]] void refuse(const std::string& what) const {
    throw std::invalid_argument("native code, word " + std::to_string(at) + ": " + what);
  }

  std::int64_t number(std::int64_t low = 0, std::int64_t high = most) {
    if (at >= words.size()) refuse("too short");
    const std::int64_t word = words[at++];
    if (word < low || word > high) refuse(std::to_string(word) + " is out of range");
    return word;
  }

  std::size_t count() { return static_cast<std::size_t>(number(0, static_cast<std::int64_t>(words.size()))); }

  std::int32_t value(bool optional = false) {
    return static_cast<std::int32_t>(number(optional ? -1 : 0, static_cast<std::int64_t>(code.values.size()) - 1));
  }

  std::vector<std::int64_t> numbers() {
    std::vector<std::int64_t> list(count());
    for (std::int64_t& item : list) item = number();
    return list;
  }

  void read_values() {
    for (std::size_t n = count(); n > 0; --n) {
      Value v = {};
      v.space = static_cast<Space>(number(0, static_cast<std::int64_t>(Space::count) - 1));
      v.width = number();
      v.rows = number();
      v.number = number(-1);
      v.is_scalar = number(0, 1) != 0;
      if (v.space == Space::literal) {
        if (v.number < 0 || v.number >= static_cast<std::int64_t>(literals.size())) refuse("there is no such number");
        v.literal = literals[static_cast<std::size_t>(v.number)];
      }
      const std::int64_t limit = v.space == Space::parameter ? code.parameters
                                 : v.space == Space::input   ? code.inputs
                                 : v.space == Space::output  ? code.outputs
                                 : v.space == Space::state || v.space == Space::next
                                     ? static_cast<std::int64_t>(code.states.size())
                                     : most;
      if (v.number >= limit) refuse("there is no such array");
      if (v.space == Space::block && v.number >= code.blocks && v.number < 4096) code.blocks = v.number + 1;
      code.values.push_back(v);
    }
  }

  void read_matrices() {
    for (std::size_t n = count(); n > 0; --n) {
      Matrix m;
      m.k = number();
      m.used = static_cast<int>(number(0, 2));
      for (std::size_t p = count(); p > 0; --p) {
        MatrixPart part;
        part.value = value();
        part.row = number();
        part.column = number();
        part.width = number();
        part.transposed = number(0, 1) != 0;
        const Value& v = code.values[part.value];
        const std::int64_t down = part.transposed ? part.width : m.k, across = part.transposed ? m.k : part.width;
        if (v.space != Space::constant && v.space != Space::parameter) refuse("a matrix must be constant");
        if (part.row + down > v.rows || part.column + across > v.width) refuse("a matrix reaches over its value");
        m.parts.push_back(part);
      }
      code.matrices.push_back(m);
    }
  }

  void check_columns(std::int32_t v, std::int64_t offset, std::int64_t n) {
    if (v >= 0 && offset + n > code.values[v].width) refuse("columns reach over their value");
  }

  void note(Instruction& instruction, std::int32_t v) {
    if (v < 0) return;
    const Space space = code.values[v].space;
    if (space == Space::input || space == Space::output) instruction.external = true;
  }

  void read_elementwise(Instruction& i) {
    for (std::size_t n = count(); n > 0; --n) {
      MicroOp op;
      op.op = static_cast<Op>(number(0, static_cast<std::int64_t>(Op::count) - 1));
      op.result = value();
      op.a = value();
      op.b = value(true);
      op.c = value(true);
      op.width = static_cast<std::int32_t>(number(0, std::int64_t(1) << 30));
      for (std::int32_t v : {op.result, op.a, op.b, op.c}) note(i, v);
      i.ops.push_back(op);
    }
    if (i.width == 0) refuse("an elementwise instruction without vectors");
  }

  void read_product(Instruction& i) {
    i.a = value();
    note(i, i.a);
    i.a_offset = number();
    i.k = number(0, static_cast<std::int64_t>(code.matrices.size()) - 1);  // the number of the matrix
    for (std::size_t n = count(); n > 0; --n) {
      ProductPart part;
      part.result = value();
      part.init = value(true);
      part.init_offset = number();
      // Its sums begin with the caller's rows.
      if (part.init >= 0 && code.values[part.init].space == Space::input) i.flag = 1;
      note(i, part.init);
      i.parts.push_back(part);
    }
    const Matrix& matrix = code.matrices[i.k];
    if (i.parts.size() != matrix.parts.size()) refuse("a product needs a result for each part");
    for (std::size_t p = 0; p < i.parts.size(); ++p) {
      const ProductPart& part = i.parts[p];
      const std::int64_t width = code.values[part.result].width;
      if (width != matrix.parts[p].width) refuse("widths differ");
      if (part.init >= 0 && !code.values[part.init].is_scalar) check_columns(part.init, part.init_offset, width);
    }
    check_columns(i.a, i.a_offset, matrix.k);
  }

  void read_reduction(Instruction& i) {
    i.flag = number(0, 2);
    i.result = value();
    i.a = value();
    note(i, i.a);
    check_columns(i.a, 0, i.width);
  }

  void read_moves(Instruction& i) {
    for (std::size_t n = count(); n > 0; --n) {
      MovePart part;
      part.result = value();
      part.source = value();
      part.to = number();
      part.from = number();
      part.count = number();
      part.step = number(1);
      check_columns(part.result, part.to, part.count);
      note(i, part.source);
      const Value& source = code.values[part.source];
      if (part.count > 0 && !source.is_scalar) {
        const std::int64_t last = source.width - 1 - part.from;
        // By division, as a product may overflow.
        const bool is_beyond = part.count > 1 && part.step > last / (part.count - 1);
        if (last < 0 || is_beyond) refuse("columns reach over their value");
      }
      i.moves.push_back(part);
    }
  }

  void read_outer(Instruction& i) {
    i.result = value();
    i.row = number();
    i.a = value();
    i.a_offset = number();
    i.k = number();
    i.b = value();
    i.b_offset = number();
    check_columns(i.a, i.a_offset, i.k);
    check_columns(i.b, i.b_offset, i.width);
    const Value& result = code.values[i.result];
    if (i.row + i.k > result.rows || result.width != i.width) refuse("sizes differ");
  }

  Instruction read_instruction() {
    Instruction i;
    i.kind = static_cast<Kind>(number(0, static_cast<std::int64_t>(Kind::count) - 1));
    i.rows = number();
    i.width = number();
    switch (i.kind) {
      case Kind::elementwise: read_elementwise(i); break;
      case Kind::product: read_product(i); break;
      case Kind::reduce:
      case Kind::cumulate:
      case Kind::total: read_reduction(i); break;
      case Kind::move: read_moves(i); break;
      case Kind::outer: read_outer(i); break;
      case Kind::rows_sum:
        i.result = value();
        i.a = value();
        break;
      case Kind::gather:
        i.result = value();
        i.a = value();
        i.flag = number(0, 2);
        break;
      case Kind::eye: i.result = value(); break;
      case Kind::previous:
        i.result = value();
        i.a = value();
        i.k = number(0, static_cast<std::int64_t>(code.states.size()) + 64);  // the number of the first state
        code.beginnings = std::max(code.beginnings, i.k + 1);
        break;
      case Kind::count: break;
    }
    return i;
  }

  std::vector<Instruction> stage() {
    std::vector<Instruction> list;
    for (std::size_t n = count(); n > 0; --n) list.push_back(read_instruction());
    return list;
  }
};

}  // namespace

const OperationFacts& facts_of(Op op) { return operation_facts[static_cast<std::size_t>(op)]; }

Code decode(const std::vector<std::int64_t>& words, const std::vector<double>& literals, std::size_t lanes) {
  Reader r{words, literals, 0, {}};
  if (r.number() != static_cast<std::int64_t>(lanes)) r.refuse("made for vectors of another width");
  r.code.opposite = r.number(0, 1) != 0;
  r.code.chunk_rows = r.number(1);
  r.code.tile_rows = r.number(1);
  r.code.parameter_rows = r.numbers();
  r.code.parameter_widths = r.numbers();
  if (r.code.parameter_rows.size() != r.code.parameter_widths.size()) r.refuse("sizes differ");
  r.code.parameters = static_cast<std::int64_t>(r.code.parameter_rows.size());
  r.code.input_widths = r.numbers();
  r.code.output_widths = r.numbers();
  r.code.inputs = static_cast<std::int64_t>(r.code.input_widths.size());
  r.code.outputs = static_cast<std::int64_t>(r.code.output_widths.size());
  r.code.states = r.numbers();
  r.read_values();
  r.read_matrices();
  r.code.once = r.stage();
  r.code.before = r.stage();
  r.code.step = r.stage();
  r.code.after = r.stage();
  r.code.sums = r.stage();
  r.code.finally_ = r.stage();
  for (std::size_t n = r.count(); n > 0; --n) r.code.results.push_back(r.value());
  if (r.at != words.size()) r.refuse("too long");
  check(r.code, static_cast<std::int64_t>(lanes));
  return r.code;
}

}  // namespace recurra
