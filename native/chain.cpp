#include <stdexcept>
#include <utility>

#include "code.h"
#include "steps.h"

namespace recurra {

namespace {

void check(bool holds) {
  if (!holds) throw std::invalid_argument("these words are no elementwise operations");
}

}  // namespace

template <class T>
Chain<T>::Chain(const std::vector<std::int64_t>& words, const std::vector<double>& literals, std::size_t arrays,
                const Routines<T>& routines)
    : routines_(routines), arrays_(arrays), literals_(literals.size()), blocks_(arrays) {
  check(words.size() % 5 == 0);
  const std::size_t fixed = arrays + literals.size();
  std::vector<char> is_known(fixed + words.size() / 5, 0), is_written(arrays, 0);
  // Slots: the caller's arrays, a block for each of them, literals, temporaries.
  const auto slot = [&](std::size_t value) { return static_cast<std::int32_t>(value + arrays); };
  for (std::size_t at = 0; at < words.size(); at += 5) {
    check(words[at] > static_cast<std::int64_t>(Op::store) && words[at] < static_cast<std::int64_t>(Op::count));
    MicroOp op{static_cast<Op>(words[at]), 0, -1, -1, -1, 0};
    const int operands = facts_of(op.op).operands;
    for (int n = 0; n < operands; ++n) {
      const std::int64_t word = words[at + 2 + static_cast<std::size_t>(n)];
      check(word >= 0 && word < static_cast<std::int64_t>(is_known.size()));
      const auto value = static_cast<std::size_t>(word);
      if (value < arrays && !is_known[value] && !is_written[value]) {
        ops_.push_back({Op::load, slot(value), static_cast<std::int32_t>(value), -1, -1, 0});
        is_known[value] = 1;
      }
      check((value >= arrays && value < fixed) || is_known[value]);
      (n == 0 ? op.a : n == 1 ? op.b : op.c) = slot(value);
    }
    const std::int64_t word = words[at + 1];
    check(word >= 0 && word < static_cast<std::int64_t>(is_known.size()));
    const auto result = static_cast<std::size_t>(word);
    check(!is_known[result] && (result < arrays || result >= fixed));
    is_known[result] = 1;
    op.result = slot(result);
    ops_.push_back(op);
    if (result < arrays) {
      ops_.push_back({Op::store, static_cast<std::int32_t>(result), slot(result), -1, -1, 0});
      is_written[result] = 1;
    }
  }
  blocks_ = arrays + words.size() / 5;
  for (const double literal : literals)
    literal_values_.insert(literal_values_.end(), routines.lanes, static_cast<T>(literal));
}

template <class T>
void Chain<T>::run(const Array* arrays, std::size_t rows, std::size_t columns) const {
  const std::size_t lanes = routines_.lanes, vectors = (columns + lanes - 1) / lanes;
  const std::size_t block = block_vectors * lanes;
  const auto wide = static_cast<std::ptrdiff_t>(std::min<std::size_t>(vectors, block_vectors) * lanes);
  thread_local Arena arena;
  thread_local std::vector<Slot<T>> slots;
  thread_local std::vector<MicroOp> ops;
  T* next = arena.take<T>(blocks_ * block + slack);
  next += (64 - reinterpret_cast<std::uintptr_t>(next) % 64) % 64 / sizeof(T);
  slots.clear();
  for (std::size_t n = 0; n < arrays_; ++n) {
    slots.push_back({arrays[n].data, arrays[n].row_stride, arrays[n].column_step, 0});
  }
  for (std::size_t n = 0; n < arrays_; ++n, next += block) slots.push_back({next, wide, 1, 1});
  for (std::size_t n = 0; n < literals_; ++n) {
    slots.push_back({const_cast<T*>(literal_values_.data()) + n * lanes, 0, 0, 0});
  }
  for (std::size_t n = arrays_; n < blocks_; ++n, next += block) slots.push_back({next, wide, 1, 1});
  ops = ops_;
  for (MicroOp& op : ops) op.width = static_cast<std::int32_t>(columns);
  if (rows > 0 && columns > 0) routines_.elementwise(ops.data(), ops.size(), slots.data(), rows, vectors);
}

template class Chain<float>;
template class Chain<double>;

}  // namespace recurra
