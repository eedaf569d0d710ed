#include "check.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace recurra {
namespace {

enum class Stage { constant, chunk, step, sums };

constexpr std::int64_t most_elements = std::int64_t(1) << 36;

struct Checker {
  const Code& code;
  const std::int64_t lanes;
  Stage stage = Stage::constant;
  std::string where;

  [[noreturn]] void refuse(const std::string& what) const {
    throw std::invalid_argument("native code, " + where + ": " + what);
  }
  void need(bool fine, const char* what) const {
    if (!fine) refuse(what);
  }
  const Value& at(std::int32_t v) const { return code.values[static_cast<std::size_t>(v)]; }
  std::int64_t padded(std::int64_t width) const { return (width + lanes - 1) / lanes * lanes; }
  static bool callers(const Value& v) { return v.space == Space::input || v.space == Space::output; }

  bool is_here(const Value& v) const {
    switch (v.space) {
      case Space::constant:
      case Space::literal:
      case Space::block: return true;
      case Space::parameter: return false;  // only matrices and gather read these
      case Space::chunk:
      case Space::input:
      case Space::output: return stage != Stage::constant;
      case Space::step:
      case Space::state:
      case Space::next: return stage == Stage::step;
      case Space::count: break;
    }
    return false;
  }

  void reads(std::int32_t number, std::int64_t rows, bool block = false) const {
    const Value& v = at(number);
    need(is_here(v), "an operand is not there in this stage");
    need(block || v.space != Space::block, "a temporary outside of an elementwise instruction");
    if (v.space == Space::constant && v.rows > 1) {
      need(stage == Stage::constant && rows <= v.rows, "more rows than a constant has");
    }
  }

  void writes(std::int32_t number, std::int64_t rows, bool block = false) const {
    const Value& v = at(number);
    need(is_here(v), "a result has no place in this stage");
    need(v.space != Space::literal && v.space != Space::input && v.space != Space::state,
         "a result where nothing is written");
    need(block || (v.space != Space::block && v.space != Space::output),
         "a result in a temporary or in the caller's rows");
    if (v.space == Space::constant) {
      need(stage == Stage::constant && rows <= std::max<std::int64_t>(1, v.rows), "a result has too few rows");
    }
  }

  void elements(std::int32_t number, std::int64_t n) const {
    need(at(number).is_scalar ? n <= 1 : n <= at(number).width, "columns reach over their value");
  }

  // Checks n elements from column `begin` on that are accessed as whole vectors. Our own values are padded to whole
  // vectors; the caller's are not.
  void whole(std::int32_t number, std::int64_t begin, std::int64_t n) const {
    const Value& v = at(number);
    if (v.is_scalar) {
      need(!callers(v), "one number of the caller's as a vector");
      return;
    }
    need(callers(v) ? begin + padded(n) <= v.width : begin + n <= padded(v.width), "vectors reach over their value");
  }

  void value(const Value& v) const {
    need(v.width <= most_elements && v.rows <= most_elements && (v.rows == 0 || v.width <= most_elements / v.rows),
         "a value is too large");
    auto declared = [&](const std::vector<std::int64_t>& widths) {
      need(v.number >= 0 && v.number < static_cast<std::int64_t>(widths.size()), "there is no such array");
      need(v.width == widths[static_cast<std::size_t>(v.number)], "a value is not as wide as its array");
    };
    switch (v.space) {
      case Space::state:
      case Space::next: declared(code.states); break;
      case Space::input: declared(code.input_widths); break;
      case Space::output: declared(code.output_widths); break;
      case Space::parameter:
        declared(code.parameter_widths);
        need(v.rows == code.parameter_rows[static_cast<std::size_t>(v.number)], "a parameter has other rows");
        break;
      case Space::block: need(v.number >= 0 && v.number < 4096, "too many temporaries"); break;
      default: break;
    }
    if (v.is_scalar) need(v.width == 1 || v.space == Space::block, "one number of several elements");
  }

  void elementwise(const Instruction& i) const {
    const std::int64_t all = i.width * lanes;
    need(i.width > 0 && i.width <= most_elements / lanes, "an elementwise instruction without vectors");
    for (const MicroOp& op : i.ops) {
      for (const std::int32_t operand : {op.a, op.b, op.c}) {
        if (operand < 0) continue;
        reads(operand, i.rows, true);
        if (op.op == Op::load && operand == op.a) elements(operand, op.width);
        else whole(operand, 0, all);
      }
      const int operands = facts_of(op.op).operands;
      need(op.a >= 0 && (op.b >= 0 || operands < 2) && (op.c >= 0 || operands < 3), "an operand is missing");
      writes(op.result, i.rows, true);
      if (op.op == Op::store) {
        need(at(op.result).space == Space::output, "a store goes to the caller's rows");
        elements(op.result, op.width);
      } else if (at(op.result).is_scalar) {
        need(i.width == 1 && !callers(at(op.result)), "one number as the result of several vectors");
      } else {
        whole(op.result, 0, all);
      }
      if (op.op == Op::load) need(at(op.a).space == Space::input, "a load is from the caller's rows");
    }
  }

  void product(const Instruction& i) const {
    const Matrix& m = code.matrices[static_cast<std::size_t>(i.k)];
    reads(i.a, i.rows);
    need(!at(i.a).is_scalar && i.a_offset + m.k <= at(i.a).width, "a product's rows are too short");
    for (std::size_t p = 0; p < i.parts.size(); ++p) {
      const ProductPart& part = i.parts[p];
      writes(part.result, i.rows);
      need(!at(part.result).is_scalar && at(part.result).width == m.parts[p].width,
           "a product's result has another width");
      if (part.init < 0) continue;
      reads(part.init, i.rows);
      if (at(part.init).is_scalar) whole(part.init, 0, 1);
      else need(part.init_offset + m.parts[p].width <= at(part.init).width, "a product's sums begin with too little");
      if (callers(at(part.init))) whole(part.init, part.init_offset, m.parts[p].width);
    }
  }

  void sum(const Instruction& i, std::int32_t operand, std::int64_t begin, std::int64_t n, bool vectors) const {
    const Value& v = at(operand);
    need(v.space == Space::chunk || v.space == Space::input, "a sum over what is not there for all rows");
    if (v.is_scalar) need(begin == 0 && n <= 1 && v.space == Space::chunk, "columns reach over their value");
    else need(begin + n <= v.width, "columns reach over their value");
    if (vectors) whole(operand, begin, n);
    need(at(i.result).space == Space::constant, "a sum over rows must be a constant");
  }

  void gather(const Instruction& i) const {
    const Value &from = at(i.a), &to = at(i.result);
    need(from.space == Space::parameter || from.space == Space::constant, "gather copies constants");
    need(to.space == Space::constant && i.rows <= std::max<std::int64_t>(1, to.rows) && i.width == to.width &&
             i.rows > 0,
         "gather has too little room");
    const std::int64_t rows = std::max<std::int64_t>(1, from.rows);
    const bool fits = i.flag == 0   ? i.rows <= rows && i.width <= from.width
                      : i.flag == 1 ? i.width <= rows && i.rows <= from.width
                                    : i.width > 0 && from.width > 0 && i.rows <= rows * from.width / i.width;
    need(fits, "gather reads over its source");
  }

  void instruction(const Instruction& i) const {
    const bool constant = stage == Stage::constant;
    need((stage == Stage::sums) == (i.kind == Kind::outer || i.kind == Kind::rows_sum),
         "an instruction in a wrong stage");
    switch (i.kind) {
      case Kind::elementwise: elementwise(i); break;
      case Kind::product: product(i); break;
      case Kind::reduce:
        need(i.width > 0, "a reduction of nothing");
        reads(i.a, i.rows), writes(i.result, i.rows), elements(i.a, i.width);
        need(at(i.result).is_scalar, "a reduction gives one number");
        break;
      case Kind::cumulate:
        reads(i.a, i.rows), writes(i.result, i.rows), elements(i.a, i.width), elements(i.result, i.width);
        break;
      case Kind::move:
        for (const MovePart& part : i.moves) {
          reads(part.source, i.rows), writes(part.result, i.rows);
          elements(part.result, part.to + part.count);
          if (part.count > 0 && !at(part.source).is_scalar)
            elements(part.source, part.from + (part.count - 1) * part.step + 1);
        }
        break;
      case Kind::outer:
        sum(i, i.a, i.a_offset, i.k, false), sum(i, i.b, i.b_offset, i.width, true);
        need(at(i.result).width == i.width && i.row + i.k <= at(i.result).rows, "a sum over rows has another size");
        break;
      case Kind::rows_sum:
        sum(i, i.a, 0, i.width, true);
        need(at(i.result).width == i.width, "a sum over rows has another size");
        break;
      case Kind::gather: need(constant, "an instruction in a wrong stage"), gather(i); break;
      case Kind::eye:
        need(constant, "an instruction in a wrong stage"), writes(i.result, i.rows), elements(i.result, i.rows);
        break;
      case Kind::total:
        need(constant, "an instruction in a wrong stage"), reads(i.a, i.rows), writes(i.result, 1),
            elements(i.a, i.width);
        need(at(i.a).space == Space::constant && at(i.result).is_scalar &&
                 i.rows <= std::max<std::int64_t>(1, at(i.a).rows),
             "a total of what is no constant");
        break;
      case Kind::previous:
        need(stage == Stage::chunk, "an instruction in a wrong stage");
        need(at(i.result).space == Space::chunk && at(i.a).space == Space::input &&
                 at(i.result).width == at(i.a).width && at(i.result).is_scalar == at(i.a).is_scalar,
             "what steps began with has another size");
        break;
      case Kind::count: break;
    }
  }
};

}  // namespace

void check(const Code& code, std::int64_t lanes) {
  Checker checker{code, lanes, Stage::constant, "its values"};
  std::int64_t elements = 0;
  for (const Value& v : code.values) {
    checker.value(v);
    elements += (v.width + lanes) * std::max<std::int64_t>(1, v.rows);
    checker.need(elements <= most_elements, "its values are too large");
  }
  for (const std::int64_t width : code.states) checker.need(width <= most_elements, "a state is too wide");
  for (const Matrix& m : code.matrices) {
    for (const MatrixPart& part : m.parts) {
      checker.need(
          part.width <= most_elements && m.k <= most_elements && (m.k == 0 || part.width <= most_elements / m.k),
          "a matrix is too large");
    }
  }
  auto stage = [&](const char* name, Stage kind, const std::vector<Instruction>& list) {
    checker.where = std::string("stage ") + name;
    checker.stage = kind;
    for (const Instruction& i : list) checker.instruction(i);
  };
  stage("once", Stage::constant, code.once);
  stage("before", Stage::chunk, code.before);
  stage("step", Stage::step, code.step);
  stage("after", Stage::chunk, code.after);
  stage("sums", Stage::sums, code.sums);
  stage("finally", Stage::constant, code.finally_);
  checker.where = "its results";
  for (const std::int32_t v : code.results) {
    checker.need(code.values[static_cast<std::size_t>(v)].space == Space::constant, "a result must be a constant");
  }
}

}  // namespace recurra
