// The structures that the executor's parts share, for a slice, a call and a thread.
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
  std::int64_t from = 0, to = 0;  // the slice's sequences
  std::int64_t base = 0;          // the slice's first row in the chunk's arrays
  std::int64_t rows = 0;
  std::vector<std::int64_t> count, position;  // of each step: the number of rows, and the first one after `base`
};

template <class T>
struct Executor<T>::Shared {
  const Call<T>* call = nullptr;
  const Constants<T>* constants = nullptr;
  bool wants_last = false;         // whether the caller wants the last value of a state
  std::vector<std::int64_t> cuts;  // of the batch: slice s has sequences cuts[s] … cuts[s + 1]
  // The first row of each slice in the chunk's arrays; the same in all chunks, as slices do not wait for each other.
  std::vector<std::int64_t> bases;
  std::vector<std::int64_t> row_offset;                       // rows before each step; only if packed or with resets
  std::vector<std::pair<std::int64_t, std::int64_t>> chunks;  // first step and number of steps, in running order
  std::vector<T*> chunk_values;                               // the array of each value, or null
  std::vector<T*> states;                                     // of each state, 2 × batch rows
  std::vector<T*> sums;                                       // the memory of each value that is a sum over rows
  std::vector<Geometry> geometry;                             // of each slice, in its present chunk
  std::int64_t batch_at(std::int64_t t) const { return call->batch_sizes ? call->batch_sizes[t] : call->batch; }
};

// The data for running a slice, on any thread; and for a thread's sums over rows.
template <class T>
struct Executor<T>::Worker {
  Shared* shared = nullptr;
  const Constants<T>* constants = nullptr;
  const std::vector<Fixed<const T>>* parameters = nullptr;
  std::vector<Slot<T>> slots;
  std::vector<const T*> a, b;
  std::vector<std::vector<Column<T>>> columns;             // of each matrix
  std::vector<std::pair<Slot<T>*, std::ptrdiff_t>> moves;  // the change of slots from step to step
  const Geometry* mine = nullptr;                          // of the slice, in its present chunk
  std::size_t chunk = 0;                                   // the number of the slice's present chunk
  T* frame = nullptr;                                      // constants
  T* blocks = nullptr;
  T* panel = nullptr;    // memory for a panel that is packed just before its use; one for each thread of the team
  Team* team = nullptr;  // threads that share a product's columns, and sums
  int parity = 0;
  std::int64_t alive = 0;  // the number of sequences of the last step
};

// A call laid out in memory.
template <class T>
struct Executor<T>::Session {
  explicit Session(const Call<T>& c) : call(c) {}
  const Call<T>& call;
  Shared shared;
  std::vector<Worker> workers;  // the first `slices` workers run slices
  int slices = 1;
  double cost = 0;
  std::int64_t step_rows = 0;       // the largest number of sequences of a step
  std::int64_t chunk_capacity = 0;  // rows of all slices in the largest chunk
  Constants<T> own;                 // used if the caller prepared none
  std::vector<T*> panels;           // of each matrix of `own`; null if it is not packed
  const Constants<T>* constants = nullptr;
};

}  // namespace recurra
