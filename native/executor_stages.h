// The stages of a chunk: instructions on all rows, the time loop, sums over rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "executor_parts.h"

namespace recurra {

// ---- rows of a chunk ----

template <class T>
void Executor<T>::place(Worker& w, const std::vector<std::int32_t>& moving, std::int64_t chunk_row, std::int64_t t,
                        std::int64_t b) const {
  const Shared& s = *w.shared;
  for (const std::int32_t v : moving) {
    const Value& value = code_.values[v];
    Slot<T>& slot = w.slots[v];
    switch (value.space) {
      case Space::chunk: slot.base = s.chunk_values[v] + chunk_row * slot.row_stride; break;
      case Space::state:
      case Space::next: {
        const int side = value.space == Space::state ? w.parity : 1 - w.parity;
        slot.base = s.states[value.number] + (side * s.call->batch + b) * slot.row_stride;
        break;
      }
      default: {
        const Rows<T>& rows =
            value.space == Space::input ? s.call->inputs[value.number] : s.call->outputs[value.number];
        slot.row_stride = rows.row_stride;
        slot.base = rows.data + b * rows.row_stride +
                    (s.call->batch_sizes ? s.row_offset[t] * rows.row_stride : t * rows.step_stride);
      }
    }
  }
}

// Sets pointers to the rows of slices in their chunk, in order of steps.
template <class T>
void Executor<T>::row_pointers(const Shared& s, const Geometry* slices, std::size_t count, std::int32_t v,
                               std::int64_t offset, std::vector<const T*>& out) const {
  const Value& value = code_.values[v];
  out.clear();
  for (std::int64_t k = 0; k < slices->steps; ++k) {
    for (std::size_t slice = 0; slice < count; ++slice) {
      const Geometry& g = slices[slice];
      const std::int64_t t = g.first_step + k, n = g.count[k];
      const T* base;
      std::ptrdiff_t pitch;
      if (value.space == Space::chunk) {
        pitch = stride(value);
        base = s.chunk_values[v] + (g.base + g.position[k]) * pitch;
      } else {
        const Rows<T>& rows = s.call->inputs[value.number];
        pitch = rows.row_stride;
        base = rows.data + g.from * pitch + (s.call->batch_sizes ? s.row_offset[t] * pitch : t * rows.step_stride);
      }
      for (std::int64_t r = 0; r < n; ++r) out.push_back(base + r * pitch + offset);
    }
  }
}

template <class T>
void Executor<T>::rows_stage(Worker& w, const std::vector<Instruction>& stage,
                             const std::vector<std::int32_t>& moving) const {
  const Geometry& g = *w.mine;
  if (g.rows == 0 || stage.empty()) return;
  const Call<T>& call = *w.shared->call;
  // Whether the caller's rows lie one after the other, as the chunk's do.
  bool is_contiguous = g.steps == 1 || (g.from == 0 && g.to == call.batch);
  if (call.batch_sizes == nullptr && g.steps > 1) {
    for (const auto* arrays : {&call.inputs, &call.outputs}) {
      for (const Rows<T>& rows : *arrays)
        is_contiguous = is_contiguous && rows.step_stride == call.batch * rows.row_stride;
    }
  }
  for (const Instruction& i : stage) {
    if (i.kind == Kind::previous) {
      previous(w, i);
      continue;
    }
    const bool alone = i.kind == Kind::product && i.flag == 0;  // only its left operand may be the caller's
    if (is_contiguous || !i.external || alone) {
      place(w, moving, g.base, g.first_step, g.from);
      if (alone && i.external && !is_contiguous) {
        row_pointers(*w.shared, &g, 1, i.a, i.a_offset, w.a);
        product(w, i, g.rows);
      } else {
        instruction(w, i, g.rows);
      }
      continue;
    }
    for (std::int64_t k = 0; k < g.steps; ++k) {
      if (g.count[k] == 0) continue;
      place(w, moving, g.base + g.position[k], g.first_step + k, g.from);
      instruction(w, i, g.count[k]);
    }
  }
}

// Copies the states before each row's step, which the forward pass kept as the states after the previous step.
template <class T>
void Executor<T>::previous(Worker& w, const Instruction& i) const {
  const Shared& s = *w.shared;
  const Call<T>& call = *s.call;
  const Geometry& g = *w.mine;
  const Value& value = code_.values[i.result];
  const Rows<T>& kept = call.inputs[code_.values[i.a].number];
  const Batch<const T>& first = call.beginning[i.k];
  const std::int64_t pitch = stride(value);
  const std::size_t bytes = static_cast<std::size_t>(value.width) * sizeof(T);
  for (std::int64_t k = 0; k < g.steps; ++k) {
    const std::int64_t t = g.first_step + k, before = call.reverse ? t - 1 : t + 1;
    const std::int64_t have = before < 0 || before >= call.steps ? 0 : s.batch_at(before);
    T* out = s.chunk_values[i.result] + (g.base + g.position[k]) * pitch;
    const T* rows =
        have == 0 ? nullptr
                  : kept.data + (call.batch_sizes ? s.row_offset[before] * kept.row_stride : before * kept.step_stride);
    for (std::int64_t r = 0; r < g.count[k]; ++r, out += pitch) {
      const std::int64_t b = g.from + r;
      if (call.reset != nullptr && call.reset[s.row_offset[t] + b]) {
        std::memset(out, 0, bytes);
      } else {
        const T* from = b < have                ? rows + b * kept.row_stride
                        : first.data == nullptr ? nullptr
                                                : first.data + b * first.row_stride;
        if (from == nullptr) std::memset(out, 0, bytes);
        else std::memcpy(out, from, bytes);
      }
    }
  }
}

// ---- the time loop ----

template <class T>
void Executor<T>::begin_states(Worker& w, std::int64_t from, std::int64_t to) const {
  const Shared& s = *w.shared;
  for (std::size_t n = 0; n < code_.states.size(); ++n) {
    const std::int64_t width = code_.states[n], pitch = padded(width);
    const Batch<const T>& first = s.call->first[n];
    for (std::int64_t b = from; b < to; ++b) {
      if (first.data == nullptr) {
        std::fill_n(s.states[n] + (w.parity * s.call->batch + b) * pitch, width, T(0));
        continue;
      }
      std::memcpy(s.states[n] + (w.parity * s.call->batch + b) * pitch, first.data + b * first.row_stride,
                  static_cast<std::size_t>(width) * sizeof(T));
    }
  }
}

template <class T>
void Executor<T>::end_states(Worker& w, std::int64_t from, std::int64_t to) const {
  const Shared& s = *w.shared;
  for (std::size_t n = 0; n < code_.states.size(); ++n) {
    const std::int64_t width = code_.states[n], pitch = padded(width);
    const Batch<T>& last = s.call->last[n];
    if (last.data == nullptr) continue;
    for (std::int64_t b = from; b < to; ++b) {
      std::memcpy(last.data + b * last.row_stride, s.states[n] + (w.parity * s.call->batch + b) * pitch,
                  static_cast<std::size_t>(width) * sizeof(T));
    }
  }
}

template <class T>
void Executor<T>::apply_reset(Worker& w, std::int64_t t, std::int64_t n, int parity) const {
  const Shared& s = *w.shared;
  const bool* reset = s.call->reset + s.row_offset[t];
  for (std::int64_t b = w.mine->from; b < w.mine->from + n; ++b) {
    if (!reset[b]) continue;
    for (std::size_t k = 0; k < code_.states.size(); ++k) {
      const std::int64_t pitch = padded(code_.states[k]);
      std::fill_n(s.states[k] + (parity * s.call->batch + b) * pitch, pitch, T(0));
    }
  }
}

// Plans how slots move from step to step of a dense batch; place() must have set them for one step.
template <class T>
void Executor<T>::plan_moves(Worker& w) const {
  const Call<T>& call = *w.shared->call;
  const Geometry& g = *w.mine;
  const std::ptrdiff_t direction = call.reverse ? -1 : 1;
  w.moves.clear();
  for (const std::int32_t v : moving_step_) {
    const Value& value = code_.values[v];
    Slot<T>& slot = w.slots[v];
    if (value.space == Space::chunk) w.moves.emplace_back(&slot, direction * (g.to - g.from) * slot.row_stride);
    else if (value.space == Space::input)
      w.moves.emplace_back(&slot, direction * call.inputs[value.number].step_stride);
    else if (value.space == Space::output)
      w.moves.emplace_back(&slot, direction * call.outputs[value.number].step_stride);
  }
}

// Runs a step; if its states do not count, as nobody reads them afterwards, without the instructions that only they need.
template <class T>
void Executor<T>::step_instructions(Worker& w, std::int64_t rows, bool states_count) const {
  for (std::size_t n = 0; n < code_.step.size(); ++n) {
    if (states_count || !only_for_states_[n]) instruction(w, code_.step[n], rows);
  }
}

template <class T>
void Executor<T>::step_stage(Worker& w) const {
  const Geometry& g = *w.mine;
  const Call<T>& call = *w.shared->call;
  const bool is_last_chunk = w.chunk + 1 == w.shared->chunks.size();
  const bool smooth = call.batch_sizes == nullptr && g.to - g.from <= code_.tile_rows && g.to > g.from;
  for (std::int64_t j = 0; j < g.steps; ++j) {
    const std::int64_t k = call.reverse ? g.steps - 1 - j : j, t = g.first_step + k, n = g.count[k];
    if (n > w.alive) begin_states(w, g.from + w.alive, g.from + n);
    if (n < w.alive) end_states(w, g.from + n, g.from + w.alive);
    w.alive = n;
    const bool states_count = w.shared->wants_last || !is_last_chunk || j + 1 < g.steps;
    if (call.reset != nullptr && !code_.opposite) apply_reset(w, t, n, w.parity);
    if (smooth) {
      if (j == 0) {
        place(w, moving_step_, g.base + g.position[k], t, g.from);
        plan_moves(w);
      } else {
        for (const auto& [slot, distance] : w.moves) slot->base += distance;
        for (const auto& [now, then] : state_slots_) {
          if (now >= 0 && then >= 0) std::swap(w.slots[now].base, w.slots[then].base);
          else if (now >= 0 || then >= 0) place(w, {now >= 0 ? now : then}, 0, t, g.from);
        }
      }
      step_instructions(w, n, states_count);
    } else {
      for (std::int64_t r = 0; r < n; r += code_.tile_rows) {
        place(w, moving_step_, g.base + g.position[k] + r, t, g.from + r);
        step_instructions(w, std::min(code_.tile_rows, n - r), states_count);
      }
    }
    w.parity = 1 - w.parity;
    if (call.reset != nullptr && code_.opposite) apply_reset(w, t, n, w.parity);
  }
}

// ---- sums over rows ----

template <class T>
void Executor<T>::sum(Worker& w, const std::vector<Geometry>& geometry, const Unit& unit, bool more) const {
  const Instruction& i = code_.sums[unit.instruction];
  const Shared& s = *w.shared;
  T* out = s.sums[i.result];
  const std::int64_t begin = unit.from * lanes_;
  const std::size_t n = static_cast<std::size_t>(unit.to - unit.from);
  const bool is_outer = i.kind == Kind::outer;
  row_pointers(s, geometry.data(), geometry.size(), i.a, is_outer ? i.a_offset + unit.row : begin, w.a);
  if (!is_outer) {
    routines_.rows_sum(out + begin, w.a.data(), w.a.size(), n, more);
    return;
  }
  row_pointers(s, geometry.data(), geometry.size(), i.b, i.b_offset + begin, w.b);
  const std::int64_t pitch = stride(code_.values[i.result]);
  routines_.outer(out + (i.row + unit.row) * pitch + begin, pitch, w.a.data(), w.b.data(), w.a.size(),
                  static_cast<std::size_t>(unit.rows), n, more);
}

}  // namespace recurra
