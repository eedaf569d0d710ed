#include "executor.h"

#include <algorithm>

#include "executor_calls.h"
#include "executor_constants.h"
#include "executor_instructions.h"
#include "executor_parts.h"
#include "executor_stages.h"

namespace recurra {
namespace {

// A part of a sum of outer products.
struct Piece {
  std::int64_t rows, vectors;
};

// The size of a unit of outer products: large ones are faster, but threads share out several.
template <class T>
Piece outer_piece(const Routines<T>& routines, const Piece& all) {
  constexpr std::int64_t wanted_units = 8;
  const auto panel = static_cast<std::int64_t>(routines.panel_vectors);
  const auto rows = static_cast<std::int64_t>(routines.outer_rows);
  if (rows > 0) return {std::max<std::int64_t>(1, (all.rows / wanted_units + rows - 1) / rows) * rows, all.vectors};
  const std::int64_t piece = (all.vectors / wanted_units + panel - 1) / panel * panel;
  return {all.rows, std::clamp(piece, panel, static_cast<std::int64_t>(routines.outer_vectors))};
}

// Calls reads(value) and writes(value) for the values of an instruction.
template <class Reads, class Writes>
void each_value(const Instruction& i, Reads reads, Writes writes) {
  const auto call = [](std::int32_t value, auto& f) {
    if (value >= 0) f(value);
  };
  call(i.a, reads), call(i.b, reads), call(i.result, writes);
  for (const MicroOp& op : i.ops) call(op.a, reads), call(op.b, reads), call(op.c, reads), call(op.result, writes);
  for (const ProductPart& part : i.parts) call(part.init, reads), call(part.result, writes);
  for (const MovePart& part : i.moves) call(part.source, reads), call(part.result, writes);
}

// For each instruction of a step, whether it computes states after the step, and nothing else depends on it.
std::vector<char> only_for_states(const Code& code) {
  std::vector<char> is_read(code.values.size(), 0), found(code.step.size(), 0);
  for (std::size_t n = code.step.size(); n-- > 0;) {
    bool is_needed = false;
    each_value(
        code.step[n], [](std::int32_t) {},
        [&](std::int32_t v) {
          const Space space = code.values[v].space;
          const bool is_temporary = space == Space::next || space == Space::step || space == Space::block;
          is_needed = is_needed || !is_temporary || is_read[v];
        });
    found[n] = !is_needed;
    if (is_needed) each_value(code.step[n], [&](std::int32_t v) { is_read[v] = 1; }, [](std::int32_t) {});
  }
  return found;
}

}  // namespace

template <class T>
std::int64_t Executor<T>::vectors(const Matrix& m) const {
  std::int64_t n = 0;
  for (const MatrixPart& part : m.parts) n += padded(part.width) / lanes_;
  return n;
}

template <class T>
PackedSizes Executor<T>::sizes_of(const Matrix& m) const {
  return {static_cast<std::size_t>(m.k), routines_.lanes, routines_.panel_vectors};
}

template <class T>
std::size_t Executor<T>::panel_elements(const Matrix& m, Form form) const {
  return words_of(form, static_cast<std::size_t>(m.k)) * static_cast<std::size_t>(vectors(m) * lanes_);
}

template <class T>
Executor<T>::Executor(Code code, const Routines<T>& routines)
    : code_(std::move(code)), routines_(routines), lanes_(static_cast<std::int64_t>(routines.lanes)) {
  lay_out();
}

template <class T>
void Executor<T>::lay_out() {
  const std::size_t n = code_.values.size();
  offset_.assign(n, 0);
  block_stride_.assign(n, 0);
  for (std::size_t v = 0; v < n; ++v) {
    const Value& value = code_.values[v];
    std::int64_t* size = nullptr;
    std::int64_t elements = stride(value);
    if (value.space == Space::constant || value.space == Space::literal) {
      size = &constant_size_;
      elements = elements * std::max<std::int64_t>(1, value.rows) + static_cast<std::int64_t>(slack);
    } else if (value.space == Space::chunk) {
      size = &chunk_size_;
    } else if (value.space == Space::step) {
      size = &step_size_;
    }
    if (size != nullptr) {
      offset_[v] = *size;
      *size += elements;
    }
  }
  for (const auto* stage : {&code_.once, &code_.before, &code_.step, &code_.after, &code_.sums, &code_.finally_}) {
    for (const Instruction& i : *stage) {
      for (const MicroOp& op : i.ops) {
        block_stride_[op.result] = std::min<std::int64_t>(i.width, block_vectors) * lanes_;
      }
    }
  }
  auto moving = [&](const std::vector<Instruction>& stage) {
    std::vector<char> used(n, 0);
    auto use = [&](std::int32_t v) { used[v] = 1; };
    for (const Instruction& i : stage) each_value(i, use, use);
    std::vector<std::int32_t> list;
    for (std::size_t v = 0; v < n; ++v) {
      const Space s = code_.values[v].space;
      if (used[v] &&
          (s == Space::chunk || s == Space::input || s == Space::output || s == Space::state || s == Space::next)) {
        list.push_back(static_cast<std::int32_t>(v));
      }
    }
    return list;
  };
  moving_before_ = moving(code_.before);
  moving_step_ = moving(code_.step);
  moving_after_ = moving(code_.after);
  only_for_states_ = only_for_states(code_);
  state_slots_.assign(code_.states.size(), {-1, -1});
  for (const std::int32_t v : moving_step_) {
    const Value& value = code_.values[v];
    if (value.space == Space::state) state_slots_[value.number].first = v;
    if (value.space == Space::next) state_slots_[value.number].second = v;
  }
  for (std::size_t s = 0; s < code_.sums.size(); ++s) {
    const Instruction& i = code_.sums[s];
    const bool is_outer = i.kind == Kind::outer;
    const Piece all{is_outer ? i.k : 1, padded(i.width) / lanes_};
    const Piece piece = is_outer ? outer_piece(routines_, all) : all;
    for (std::int64_t row = 0; row < all.rows; row += piece.rows) {
      for (std::int64_t v = 0; v < all.vectors; v += piece.vectors) {
        units_.push_back({static_cast<std::int32_t>(s), v, std::min(all.vectors, v + piece.vectors), row,
                          std::min(piece.rows, all.rows - row)});
      }
    }
  }
  std::size_t weights = 0;  // in bytes
  for (const Matrix& m : code_.matrices) {
    const std::int64_t widest = std::min<std::int64_t>(vectors(m), static_cast<std::int64_t>(routines_.panel_vectors));
    const auto k = static_cast<std::size_t>(m.k);
    weights += words_of(routines_.form, k) * static_cast<std::size_t>(vectors(m) * lanes_) * sizeof(T);
    const std::size_t words = std::max(k, words_of(routines_.form, k));
    widest_panel_ = std::max(widest_panel_, words * static_cast<std::size_t>(widest * lanes_));
  }
  has_large_weights_ = weights > 1 << 20;
}

template <class T>
void Executor<T>::fill_slots(std::vector<Slot<T>>& slots, T* frame, T* blocks) const {
  const std::size_t n = code_.values.size();
  slots.assign(n, Slot<T>{nullptr, 0, 1, 0});
  for (std::size_t v = 0; v < n; ++v) {
    const Value& value = code_.values[v];
    Slot<T>& slot = slots[v];
    slot.column_step = value.is_scalar ? 0 : 1;
    slot.row_stride = stride(value);
    if (value.space == Space::constant || value.space == Space::literal) {
      slot.base = frame + offset_[v];
      if (value.rows <= 1) slot.row_stride = 0;
    } else if (value.space == Space::block) {
      slot.base = blocks + value.number * static_cast<std::int64_t>(block_vectors) * lanes_;
      slot.row_stride = block_stride_[v];
      slot.is_block = 1;
    }
  }
}

// ---- a repeated call ----

template <class T>
Repeated<T>::Repeated(const Executor<T>& executor, Call<T> call, const Constants<T>& constants)
    : executor_(executor), call_(std::move(call)), session_(std::make_unique<typename Executor<T>::Session>(call_)) {
  session_->constants = &constants;
  executor_.begin(*session_, [&](std::size_t elements) {
    memory_ = std::make_unique<Arena>();
    return memory_->template take<T>(elements);
  });
}

template <class T>
Repeated<T>::~Repeated() = default;

template <class T>
void Repeated<T>::run() {
  executor_.execute(*session_);
}

template class Repeated<float>;
template class Repeated<double>;
template class Executor<float>;
template class Executor<double>;

}  // namespace recurra
