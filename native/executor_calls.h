// A call: cut into chunks and slices, laid out in memory, shared among threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "executor_parts.h"
#include "processors.h"
#include "subnormals.h"

namespace recurra {

// Computes where the rows of a slice of the batch lie in a chunk of steps.
template <class T>
void Executor<T>::place_slice(const Shared& s, std::size_t chunk, std::size_t slice, Geometry& g) const {
  const auto [first, steps] = s.chunks[chunk];
  g.first_step = first, g.steps = steps, g.from = s.cuts[slice], g.to = s.cuts[slice + 1];
  g.base = s.bases[slice], g.rows = 0;
  g.count.resize(static_cast<std::size_t>(steps));
  g.position.resize(static_cast<std::size_t>(steps));
  for (std::int64_t k = 0; k < steps; ++k) {
    g.position[k] = g.rows;
    g.count[k] = std::clamp<std::int64_t>(s.batch_at(first + k) - g.from, 0, g.to - g.from);
    g.rows += g.count[k];
  }
}

// Copies first states to last states, as a sequence without steps keeps its first state.
template <class T>
void Executor<T>::keep_states(const Shared& s) const {
  for (std::size_t n = 0; n < code_.states.size(); ++n) {
    const Batch<T>& last = s.call->last[n];
    const Batch<const T>& start = s.call->first[n];
    for (std::int64_t b = 0; last.data != nullptr && b < s.call->batch; ++b) {
      T* out = last.data + b * last.row_stride;
      const std::size_t bytes = static_cast<std::size_t>(code_.states[n]) * sizeof(T);
      if (start.data == nullptr) std::memset(out, 0, bytes);
      else std::memmove(out, start.data + b * start.row_stride, bytes);
    }
  }
}

// Runs the next chunk of one slice, on any thread. Returns whether the slice has more chunks.
template <class T>
bool Executor<T>::slice_chunk(Worker& w, std::size_t slice) const {
  Shared& s = *w.shared;
  w.mine = &s.geometry[slice];
  place_slice(s, w.chunk, slice, s.geometry[slice]);
  rows_stage(w, code_.before, moving_before_);
  step_stage(w);
  rows_stage(w, code_.after, moving_after_);
  if (++w.chunk < s.chunks.size()) return true;
  end_states(w, s.cuts[slice], s.cuts[slice] + w.alive);
  return false;
}

// Adds up the sums over the rows of a chunk. A free thread takes the next one, as processors differ in speed.
template <class T>
void Executor<T>::chunk_sums(Shared& s, Worker* workers, Team* team, bool more) const {
  std::atomic<std::size_t> next{0};
  const auto take = [&](int n) {
    const std::size_t unit = next.fetch_add(1, std::memory_order_relaxed);
    if (unit < units_.size()) sum(workers[n], s.geometry, units_[unit], more);
    return unit + 1 < units_.size();
  };
  if (team != nullptr) {
    team->share(static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(team->threads()), units_.size())),
                take);
  } else {
    while (take(0)) {}
  }
}

// Runs all chunks of all slices, each slice with its own worker. Slices wait for each other only if there are sums.
template <class T>
void Executor<T>::work(Shared& s, Worker* workers, Team* team) const {
  const int slices = static_cast<int>(s.cuts.size()) - 1;
  s.geometry.resize(static_cast<std::size_t>(slices));
  for (int n = 0; n < slices; ++n) workers[n].chunk = 0, workers[n].alive = 0, workers[n].parity = 0;
  keep_states(s);
  if (s.chunks.empty()) return;
  const auto next_chunk = [&](int n) { return slice_chunk(workers[n], static_cast<std::size_t>(n)); };
  if (units_.empty()) {
    if (slices > 1) {
      team->share(slices, next_chunk);
    } else {
      while (next_chunk(0)) {}
    }
    return;
  }
  for (std::size_t chunk = 0; chunk < s.chunks.size(); ++chunk) {
    if (slices > 1) team->share(slices, [&](int n) { return next_chunk(n) && false; });
    else next_chunk(0);
    chunk_sums(s, workers, team, chunk > 0);
  }
}

// Sets the memory of sums over rows: the caller's if their rows are whole vectors, else among the constants.
template <class T>
void Executor<T>::place_sums(Shared& s, const Call<T>& call, T* frame, Worker& master) const {
  s.sums.assign(code_.values.size(), nullptr);
  for (const Instruction& i : code_.sums) s.sums[i.result] = frame + offset_[i.result];
  for (std::size_t n = 0; n < code_.results.size(); ++n) {
    const std::int32_t v = code_.results[n];
    const Value& value = code_.values[v];
    if (s.sums[v] != nullptr && !value.is_scalar && padded(value.width) == value.width) s.sums[v] = call.results[n];
  }
  for (const Instruction& i : code_.sums) {
    const Value& value = code_.values[i.result];
    T* place = master.slots[i.result].base = s.sums[i.result];
    if (s.chunks.empty()) std::fill_n(place, stride(value) * std::max<std::int64_t>(1, value.rows), T(0));
  }
}

// The approximate number of vector multiply-adds of a call. It decides on the number of threads.
template <class T>
double Executor<T>::cost(const Call<T>& call) const {
  double rows = static_cast<double>(call.steps) * static_cast<double>(call.batch), each = 0;
  if (call.batch_sizes) {
    rows = 0;
    for (std::int64_t t = 0; t < call.steps; ++t) rows += static_cast<double>(call.batch_sizes[t]);
  }
  for (const Matrix& m : code_.matrices) each += static_cast<double>(m.k * vectors(m));
  constexpr double rows_of_reading = 8;  // to read large weights takes as long as to multiply these by them
  if (has_large_weights_) rows = std::max(rows, rows_of_reading * static_cast<double>(call.steps));
  for (const Unit& unit : units_) each += static_cast<double>(unit.rows * (unit.to - unit.from));
  for (const auto* stage : {&code_.before, &code_.step, &code_.after}) {
    for (const Instruction& i : *stage) each += static_cast<double>(i.ops.size()) * static_cast<double>(i.width) * 2;
  }
  return rows * each;
}

// Runs the batch as one slice; other threads help where that is faster.
template <class T>
void Executor<T>::run_columns(Session& session) const {
  const auto begin = std::chrono::steady_clock::now();
  bool alone = session.workers.size() == 1 || columns_.alone();
  with_helpers(alone ? 1 : static_cast<int>(session.workers.size()), [&](Team& team) {
    const FlushSubnormals flush;
    alone = team.threads() == 1;
    Team* others = session.workers.front().team = alone ? nullptr : &team;
    work(session.shared, session.workers.data(), others);
  });
  if (session.workers.size() == 1) return;
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  columns_.learn(alone, took.count() / session.cost);
}

// Runs the slices in parallel, each on a thread; or the whole batch on this thread.
template <class T>
void Executor<T>::run_work(Session& session) const {
  if (session.slices == 1) return run_columns(session);
  Shared& s = session.shared;
  with_helpers(session.slices, [&](Team& team) {
    // Set here and not around with_helpers: a new thread inherits the mode of the thread that starts it.
    const FlushSubnormals flush;
    if (team.threads() > 1) return work(s, session.workers.data(), &team);
    // One slice for this run only: the next run of the same call may have helpers.
    std::vector<std::int64_t> cuts{0, s.call->batch}, bases{0};
    s.cuts.swap(cuts);
    s.bases.swap(bases);
    work(s, session.workers.data(), nullptr);
    s.cuts.swap(cuts);
    s.bases.swap(bases);
  });
}

// Cuts the steps into chunks of about chunk_rows rows, in running order.
template <class T>
void Executor<T>::cut_chunks(Session& session) const {
  const Call<T>& call = session.call;
  Shared& s = session.shared;
  if (call.batch_sizes != nullptr || call.reset != nullptr) {
    std::int64_t rows = 0;
    for (std::int64_t t = 0; t < call.steps; ++t) {
      s.row_offset.push_back(rows);
      rows += s.batch_at(t);
    }
  }
  for (std::int64_t done = 0; done < call.steps;) {
    std::int64_t steps = 0, rows = 0;
    while (done + steps < call.steps) {
      const std::int64_t t = call.reverse ? call.steps - 1 - done - steps : done + steps, n = s.batch_at(t);
      if (steps > 0 && rows + n > code_.chunk_rows) break;
      rows += n;
      session.step_rows = std::max(session.step_rows, n);
      ++steps;
    }
    s.chunks.emplace_back(call.reverse ? call.steps - done - steps : done, steps);
    done += steps;
  }
}

// Decides on the number of threads, and cuts the batch into a slice for each.
template <class T>
void Executor<T>::cut_slices(Session& session) const {
  const Call<T>& call = session.call;
  Shared& s = session.shared;
  int threads = 1;
  if (call.threads > 1) session.cost = cost(call);
  if (session.cost >= 150000) threads = std::min({call.threads, processors_allowed(), Team::most_pieces});
  const std::int64_t least = has_large_weights_ ? static_cast<std::int64_t>(routines_.slice_rows) : 2;
  const int slices = session.slices = threads > 1 && session.step_rows >= least * threads ? threads : 1;
  session.workers.resize(static_cast<std::size_t>(threads));
  s.cuts.assign(1, 0);
  if (call.batch_sizes == nullptr || slices == 1) {
    for (int n = 1; n < slices; ++n) s.cuts.push_back(call.batch * n / slices);
  } else {  // sorted, the longest sequence first: slices get equal numbers of rows
    std::vector<std::int64_t> rows_of(static_cast<std::size_t>(call.batch) + 1, 0);
    for (std::int64_t t = 0; t < call.steps; ++t) ++rows_of[static_cast<std::size_t>(call.batch_sizes[t])];
    std::int64_t length = 0, all = 0, sum = 0;
    for (std::int64_t t = 0; t < call.steps; ++t) all += call.batch_sizes[t];
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(call.batch));
    for (std::int64_t b = call.batch; b > 0; --b) lengths[b - 1] = length += rows_of[b];
    for (std::int64_t b = 0; b < call.batch && static_cast<int>(s.cuts.size()) < slices; ++b) {
      sum += lengths[b];
      if (sum * slices >= all * static_cast<std::int64_t>(s.cuts.size())) s.cuts.push_back(b + 1);
    }
    while (static_cast<int>(s.cuts.size()) < slices) s.cuts.push_back(call.batch);
  }
  s.cuts.push_back(call.batch);
  for (int slice = 0; slice < slices; ++slice) {
    std::int64_t most = 0;
    for (const auto& [first, steps] : s.chunks) {
      std::int64_t rows = 0;
      for (std::int64_t t = first; t < first + steps; ++t) {
        rows += std::clamp<std::int64_t>(s.batch_at(t) - s.cuts[slice], 0, s.cuts[slice + 1] - s.cuts[slice]);
      }
      most = std::max(most, rows);
    }
    s.bases.push_back(session.chunk_capacity);
    session.chunk_capacity += most;
  }
}

// Places every array of a session in the memory at `base`; if null, only counts. Returns the number of elements.
template <class T>
std::size_t Executor<T>::carve(Session& session, T* base) const {
  Shared& s = session.shared;
  Carver<T> carver{base, 0};
  T* frame = carver.take(static_cast<std::size_t>(constant_size_));
  if (session.constants == nullptr) {
    session.own.frame = frame;
    session.panels.clear();
    for (const Matrix& m : code_.matrices) {
      // Packing costs about as much as eight rows; a matrix that is used once per chunk is packed on the spot.
      const std::int64_t uses = m.used == 2   ? session.call.steps
                                : m.used == 1 ? static_cast<std::int64_t>(s.chunks.size())
                                              : 0;
      session.panels.push_back(uses > 1 ? carver.take(panel_elements(m, routines_.form)) : nullptr);
    }
  } else {
    frame = session.constants->frame;
  }
  s.chunk_values.assign(code_.values.size(), nullptr);
  for (std::size_t v = 0; v < code_.values.size(); ++v) {
    if (code_.values[v].space == Space::chunk) {
      s.chunk_values[v] = carver.take(static_cast<std::size_t>(session.chunk_capacity * stride(code_.values[v])));
    }
  }
  s.states.clear();
  for (const std::int64_t width : code_.states) {
    s.states.push_back(carver.take(static_cast<std::size_t>(2 * session.call.batch * padded(width))));
  }
  const std::int64_t tile = std::min(code_.tile_rows, std::max<std::int64_t>(1, session.step_rows));
  for (int n = 0; n < session.slices; ++n) {
    Worker& w = session.workers[n];
    w.blocks = carver.take(static_cast<std::size_t>(code_.blocks) * block_vectors * lanes_);
    w.panel = carver.take(widest_panel_ * (session.slices == 1 ? session.workers.size() : 1));
    if (base != nullptr) fill_slots(w.slots, frame, w.blocks);
    for (std::size_t v = 0; v < code_.values.size(); ++v) {
      if (code_.values[v].space != Space::step) continue;
      T* piece = carver.take(static_cast<std::size_t>(tile * stride(code_.values[v])));
      if (base != nullptr) w.slots[v].base = piece;
    }
  }
  return carver.used;
}

// Computes and packs the constants, unless the caller has prepared them.
template <class T>
void Executor<T>::make_constants(Session& session) const {
  Worker& master = session.workers.front();
  master.shared = &session.shared;
  if (session.constants == nullptr) {
    Constants<T>& own = session.own;
    run_once(master, own.frame, session.call.parameters);
    own.packed.resize(code_.matrices.size());
    for (std::size_t m = 0; m < code_.matrices.size(); ++m) {
      own.packed[m] = {session.panels[m], routines_.form};
      if (session.panels[m]) pack_panels(code_.matrices[m], master, own.packed[m], session.panels[m]);
    }
    session.constants = &own;
  }
  for (Worker& w : session.workers) {
    w.shared = &session.shared;
    w.constants = session.constants;
    w.frame = session.constants->frame;
    w.parameters = &session.call.parameters;
  }
}

// Allocates the memory that threads would otherwise allocate themselves.
template <class T>
void Executor<T>::reserve(Session& session) const {
  if (session.workers.size() < 2) return;
  std::int64_t steps = 0;
  for (const auto& chunk : session.shared.chunks) steps = std::max(steps, chunk.second);
  const auto rows = static_cast<std::size_t>(std::max(session.chunk_capacity, session.step_rows));
  for (Worker& w : session.workers) {
    w.a.reserve(rows);
    if (!units_.empty()) w.b.reserve(rows);
  }
  session.shared.geometry.resize(static_cast<std::size_t>(session.slices));
  for (Geometry& g : session.shared.geometry) {
    g.count.reserve(static_cast<std::size_t>(steps));
    g.position.reserve(static_cast<std::size_t>(steps));
  }
  for (int n = 0; n < session.slices; ++n) {
    Worker& w = session.workers[n];
    w.columns.resize(code_.matrices.size());
    for (std::size_t m = 0; m < code_.matrices.size(); ++m)
      w.columns[m].resize(static_cast<std::size_t>(vectors(code_.matrices[m])));
  }
}

// `memory` is a function from a number of elements to their address.
template <class T>
template <class Memory>
void Executor<T>::begin(Session& session, Memory&& memory) const {
  Shared& s = session.shared;
  s.call = &session.call;
  for (const Batch<T>& last : session.call.last) s.wants_last = s.wants_last || last.data != nullptr;
  cut_chunks(session);
  cut_slices(session);
  carve(session, memory(carve(session, nullptr)));
  make_constants(session);
  reserve(session);
}

template <class T>
void Executor<T>::execute(Session& session) const {
  Shared& s = session.shared;
  const Call<T>& call = session.call;
  Worker& master = session.workers.front();
  place_sums(s, call, session.constants->frame, master);
  run_work(session);
  {
    const FlushSubnormals flush;
    constant_stage(master, code_.finally_);
  }
  for (std::size_t n = 0; n < code_.results.size(); ++n) {
    const Value& value = code_.values[code_.results[n]];
    const T* from = master.slots[code_.results[n]].base;
    if (from == call.results[n]) continue;
    for (std::int64_t r = 0; r < std::max<std::int64_t>(1, value.rows); ++r) {
      std::memcpy(call.results[n] + r * value.width, from + r * stride(value),
                  static_cast<std::size_t>(value.width) * sizeof(T));
    }
  }
}

template <class T>
void Executor<T>::run(const Call<T>& call, const Constants<T>* constants) const {
  thread_local Arena arena;
  Session session(call);
  session.constants = constants;
  begin(session, [&](std::size_t elements) { return arena.template take<T>(elements); });
  execute(session);
  arena.trim();
}

}  // namespace recurra
