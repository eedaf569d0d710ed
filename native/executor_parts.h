// The structures that the executor's parts share: of a slice, of a call, of a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "executor.h"
#include "pool.h"

namespace recurra {

// The rows of one slice of the batch in one chunk of steps.
template <class T>
struct Executor<T>::Geometry {
  std::int64_t first_step = 0, steps = 0;
  std::int64_t from = 0, to = 0;  // sequences of the slice
  std::int64_t base = 0;          // where the slice's rows begin in the chunk's arrays
  std::int64_t rows = 0;
  std::vector<std::int64_t> count, position;  // for each step its rows, and where they begin behind `base`
};

template <class T>
struct Executor<T>::Shared {
  const Call<T>* call = nullptr;
  const Constants<T>* constants = nullptr;
  std::vector<std::int64_t> cuts;  // of the batch: slice s is cuts[s] … cuts[s + 1]
  // Where each slice's rows begin in the chunk's arrays: the same in all chunks, as slices do not wait for each other.
  std::vector<std::int64_t> bases;
  std::vector<std::int64_t> row_offset;                       // packed or reset: rows ahead of each step
  std::vector<std::pair<std::int64_t, std::int64_t>> chunks;  // first step, number of steps, in running order
  std::vector<T*> chunk_values;                               // for each value its array, or null
  std::vector<T*> states;                                     // for each state 2 × batch rows
  std::vector<T*> sums;                                       // for each value that is a sum over rows its place
  std::vector<Geometry> geometry;                             // of each slice, in the chunk that it is at
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
  std::vector<std::vector<Column<T>>> columns;             // for each matrix
  std::vector<std::pair<Slot<T>*, std::ptrdiff_t>> moves;  // how slots go on from step to step
  const Geometry* mine = nullptr;                          // of the slice in the chunk at hand
  std::size_t chunk = 0;                                   // which one the slice is at
  T* frame = nullptr;                                      // constants
  T* blocks = nullptr;
  T* panel = nullptr;    // one panel, packed on the spot
  Team* team = nullptr;  // threads that share out a product's columns, and sums
  int parity = 0;
  std::int64_t alive = 0;  // sequences that the last step had
};

// A call laid out in memory.
template <class T>
struct Executor<T>::Session {
  explicit Session(const Call<T>& c) : call(c) {}
  const Call<T>& call;
  Shared shared;
  std::vector<Worker> workers;  // the first `slices` of them run slices
  int slices = 1;
  double cost = 0;
  std::int64_t step_rows = 0;       // sequences of the step that has the most
  std::int64_t chunk_capacity = 0;  // rows of all slices in the largest chunk
  Constants<T> own;                 // where the caller prepared none
  std::vector<T*> panels;           // for each of its matrices; null where it is not packed
  const Constants<T>* constants = nullptr;
};

}  // namespace recurra
