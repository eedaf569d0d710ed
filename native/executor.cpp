#include "executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <type_traits>

#include "pool.h"
#include "processors.h"
#include "subnormals.h"

namespace recurra {

// The rows of one slice of the batch in one chunk of steps.
template <class T>
struct Executor<T>::Geometry {
  std::int64_t first_step = 0, steps = 0;
  std::int64_t from = 0, to = 0;         // sequences of the slice
  std::int64_t base = 0;                 // where the slice's rows begin in the chunk's arrays
  std::int64_t rows = 0;
  std::vector<std::int64_t> count, position;  // for each step its rows, and where they begin behind `base`
};

template <class T>
struct Executor<T>::Shared {
  const Call<T>* call = nullptr;
  const Constants<T>* constants = nullptr;
  std::vector<std::int64_t> cuts;           // of the batch: slice s is cuts[s] … cuts[s + 1]
  std::vector<std::int64_t> bases;          // where each slice's rows begin in the chunk's arrays: the same in all chunks,
                                            // as slices do not wait for each other
  std::vector<std::int64_t> row_offset;     // packed or reset: rows ahead of each step
  std::vector<std::pair<std::int64_t, std::int64_t>> chunks;  // first step, number of steps, in running order
  std::vector<T*> chunk_values;             // for each value its array, or null
  std::vector<T*> states;                   // for each state 2 × batch rows
  std::vector<T*> sums;                     // for each value that is a sum over rows its place
  std::vector<Geometry> geometry;           // of each slice, in the chunk that it is at
  std::int64_t batch_at(std::int64_t t) const { return call->batch_sizes ? call->batch_sizes[t] : call->batch; }
};

// What runs a slice, on whatever thread; and what a thread needs for sums over rows.
template <class T>
struct Executor<T>::Worker {
  Shared* shared = nullptr;
  const Constants<T>* constants = nullptr;
  const std::vector<Fixed<const T>>* parameters = nullptr;
  std::vector<Slot<T>> slots;
  std::vector<const T*> a, b;
  std::vector<std::vector<Column<T>>> columns;  // for each matrix
  std::vector<std::pair<Slot<T>*, std::ptrdiff_t>> moves;  // how slots go on from step to step
  const Geometry* mine = nullptr;  // of the slice in the chunk at hand
  std::size_t chunk = 0;           // which one the slice is at
  T* frame = nullptr;   // constants
  T* blocks = nullptr;
  T* panel = nullptr;   // one panel, packed on the spot
  Team* team = nullptr;  // threads that share out a product's columns, and sums
  int parity = 0;
  std::int64_t alive = 0;  // sequences that the last step had
};

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
    auto use = [&](std::int32_t v) {
      if (v >= 0) used[v] = 1;
    };
    for (const Instruction& i : stage) {
      use(i.result), use(i.a), use(i.b);
      for (const MicroOp& op : i.ops) use(op.result), use(op.a), use(op.b), use(op.c);
      for (const ProductPart& p : i.parts) use(p.result), use(p.init);
      for (const MovePart& p : i.moves) use(p.result), use(p.source);
    }
    std::vector<std::int32_t> list;
    for (std::size_t v = 0; v < n; ++v) {
      const Space s = code_.values[v].space;
      if (used[v] && (s == Space::chunk || s == Space::input || s == Space::output || s == Space::state || s == Space::next)) {
        list.push_back(static_cast<std::int32_t>(v));
      }
    }
    return list;
  };
  moving_before_ = moving(code_.before);
  moving_step_ = moving(code_.step);
  moving_after_ = moving(code_.after);
  state_slots_.assign(code_.states.size(), {-1, -1});
  for (const std::int32_t v : moving_step_) {
    const Value& value = code_.values[v];
    if (value.space == Space::state) state_slots_[value.number].first = v;
    if (value.space == Space::next) state_slots_[value.number].second = v;
  }
  for (std::size_t s = 0; s < code_.sums.size(); ++s) {
    const Instruction& i = code_.sums[s];
    const std::int64_t all = padded(i.width) / lanes_;
    const std::int64_t piece = i.kind == Kind::outer ? static_cast<std::int64_t>(routines_.panel_vectors) : all;
    for (std::int64_t v = 0; v < all; v += piece) {
      units_.push_back({static_cast<std::int32_t>(s), v, std::min(all, v + piece)});
    }
  }
  for (const Matrix& m : code_.matrices) {
    const std::int64_t widest = std::min<std::int64_t>(vectors(m), static_cast<std::int64_t>(routines_.panel_vectors));
    widest_panel_ = std::max(widest_panel_, static_cast<std::size_t>(m.k * widest * lanes_));
  }
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

#include "executor_constants.inl"
#include "executor_instructions.inl"
#include "executor_stages.inl"
#include "executor_calls.inl"

// ---- a call made again and again ----

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
