// Runs code over sequences: the time loop, chunks of steps, threads.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "code.h"
#include "kernels.h"
#include "memory.h"
#include "payoff.h"
#include "quantized.h"

namespace recurra {

class Team;

// A caller's array with one row for each sequence at each step. In a dense batch, row b of step t is at
// data + t * step_stride + b * row_stride. In a packed one, all rows lie one after the other, row_stride apart.
template <class T>
struct Rows {
  T* data;
  std::ptrdiff_t step_stride, row_stride;
};

// A caller's matrix, or a vector as one row. Element (r, c) is at data + r * row_stride + c * column_stride.
template <class T>
struct Fixed {
  T* data;
  std::ptrdiff_t row_stride, column_stride;
};

// A caller's array with one row for each sequence.
template <class T>
struct Batch {
  T* data;
  std::ptrdiff_t row_stride;
};

template <class T>
struct Call {
  std::int64_t steps = 0, batch = 0;
  const std::int64_t* batch_sizes = nullptr;  // null: dense
  bool reverse = false;                       // whether the run goes from the last step to the first
  const bool* reset = nullptr;                // of each row, in order of steps; null: nowhere
  int threads = 1;
  std::vector<Fixed<const T>> parameters;
  std::vector<Rows<T>> inputs, outputs;
  std::vector<Batch<const T>> first;      // of each state; null data: zeros
  std::vector<Batch<T>> last;             // of each state; null data: not wanted
  std::vector<Batch<const T>> beginning;  // first states that `previous` instructions read
  std::vector<T*> results;                // constants, contiguous
};

// Everything that follows from parameters alone: the values of the stage `once`, and packed matrices.
template <class T>
struct Constants {
  Arena values, matrices;         // empty if the memory belongs to another object
  T* frame = nullptr;             // the values
  std::vector<Packed<T>> packed;  // of each matrix; without panels if it is not packed
};

template <class T>
class Repeated;

template <class T>
class Executor {
  friend class Repeated<T>;

 public:
  Executor(Code code, const Routines<T>& routines);

  const Code& code() const { return code_; }

  // Makes constants to keep between calls, with every matrix packed. A matrix gets a quantized form if that holds the
  // same numbers, and is faster or `compact` is set.
  std::unique_ptr<Constants<T>> prepare(const std::vector<Fixed<const T>>& parameters, bool compact) const;

  // Runs a whole call. If `constants` is null, they are made for this call alone.
  void run(const Call<T>& call, const Constants<T>* constants) const;

 private:
  struct Worker;
  struct Geometry;
  struct Shared;
  struct Session;
  struct Unit {  // a part of a sum over rows: some of its vectors, and some rows of a sum of outer products
    std::int32_t instruction;
    std::int64_t from, to, row, rows;
  };

  std::int64_t padded(std::int64_t width) const { return (width + lanes_ - 1) / lanes_ * lanes_; }
  std::int64_t stride(const Value& v) const { return v.is_scalar ? lanes_ : padded(v.width); }
  std::int64_t vectors(const Matrix& m) const;
  PackedSizes sizes_of(const Matrix& m) const;
  std::size_t panel_elements(const Matrix& m, Form form) const;
  void lay_out();
  void fill_slots(std::vector<Slot<T>>& slots, T* frame, T* blocks) const;
  void run_once(Worker& w, T* frame, const std::vector<Fixed<const T>>& parameters) const;
  void constant_stage(Worker& w, const std::vector<Instruction>& stage) const;
  Fixed<const T> fixed(const Worker& w, std::int32_t v) const;
  template <class F>
  void each_panel(const Matrix& m, const Worker& w, std::int64_t from, std::int64_t to, F f,
                  std::int64_t panels = 1) const;
  void pack_panels(const Matrix& m, const Worker& w, const Packed<T>& form, T* out) const;
  Quantized quantized_form(const Matrix& m, const Worker& w, const QuantizedFrom& from) const;
  void product_once(Worker& w, T* panel, const Matrix& m, std::int64_t rows, const std::vector<Column<T>>& columns,
                    std::int64_t from, std::int64_t to) const;
  void instruction(Worker& w, const Instruction& i, std::int64_t rows) const;
  void product(Worker& w, const Instruction& i, std::int64_t rows) const;
  std::vector<Column<T>>& columns_of(Worker& w, const Instruction& i) const;
  void move(Worker& w, const Instruction& i, std::int64_t rows) const;
  void gather(Worker& w, const Instruction& i) const;
  void total(Worker& w, const Instruction& i) const;
  void cumulate(Worker& w, const Instruction& i, std::int64_t rows) const;
  void place(Worker& w, const std::vector<std::int32_t>& moving, std::int64_t chunk_row, std::int64_t t,
             std::int64_t b) const;
  void rows_stage(Worker& w, const std::vector<Instruction>& stage, const std::vector<std::int32_t>& moving) const;
  void previous(Worker& w, const Instruction& i) const;
  void plan_moves(Worker& w) const;
  void step_instructions(Worker& w, std::int64_t rows, bool states_count) const;
  void step_stage(Worker& w) const;
  void begin_states(Worker& w, std::int64_t from, std::int64_t to) const;
  void end_states(Worker& w, std::int64_t from, std::int64_t to) const;
  void apply_reset(Worker& w, std::int64_t t, std::int64_t n, int parity) const;
  void place_slice(const Shared& s, std::size_t chunk, std::size_t slice, Geometry& g) const;
  void keep_states(const Shared& s) const;
  bool slice_chunk(Worker& w, std::size_t slice) const;
  void chunk_sums(Shared& s, Worker* workers, Team* team, bool more) const;
  void work(Shared& s, Worker* workers, Team* team) const;
  void reserve(Session& session) const;
  void run_work(Session& session) const;
  void run_columns(Session& session) const;
  void sum(Worker& w, const std::vector<Geometry>& geometry, const Unit& unit, bool more) const;
  void row_pointers(const Shared& s, const Geometry* slices, std::size_t count, std::int32_t value, std::int64_t offset,
                    std::vector<const T*>& out) const;
  void place_sums(Shared& s, const Call<T>& call, T* frame, Worker& master) const;
  double cost(const Call<T>& call) const;
  void cut_chunks(Session& session) const;
  void cut_slices(Session& session) const;
  std::size_t carve(Session& session, T* base) const;
  void make_constants(Session& session) const;
  template <class Memory>
  void begin(Session& session, Memory&& memory) const;
  void execute(Session& session) const;

  Code code_;
  const Routines<T>& routines_;
  std::int64_t lanes_;
  std::vector<std::int64_t> offset_;        // of each value in its frame, in elements per row
  std::vector<std::int64_t> block_stride_;  // of each temporary
  std::int64_t constant_size_ = 0, chunk_size_ = 0, step_size_ = 0;
  std::vector<std::int32_t> moving_before_, moving_step_, moving_after_;
  std::vector<char> only_for_states_;  // of each instruction of a step: whether it serves states after the step alone
  std::vector<std::pair<std::int32_t, std::int32_t>> state_slots_;  // the values of each state before and after a step
  std::vector<Unit> units_;                                         // the sums over rows, cut into pieces for threads
  mutable Preference columns_;                                      // whether threads share the columns of products
  std::size_t widest_panel_ = 0;
  bool has_large_weights_ = false;  // larger than the second-level cache of many processors
};

// A call that is repeated with the same arrays, whose numbers change. It is laid out in memory once.
template <class T>
class Repeated {
 public:
  // The executor and the constants must outlive it.
  Repeated(const Executor<T>& executor, Call<T> call, const Constants<T>& constants);
  ~Repeated();
  void run();

 private:
  const Executor<T>& executor_;
  const Call<T> call_;
  std::unique_ptr<Arena> memory_;
  std::unique_ptr<typename Executor<T>::Session> session_;
};

extern template class Executor<float>;
extern template class Executor<double>;
extern template class Repeated<float>;
extern template class Repeated<double>;

}  // namespace recurra
