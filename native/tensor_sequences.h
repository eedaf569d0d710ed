// The sequences of a call on tensors: a dense batch, one step of a cell, or packed rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bind_tensors.h"

namespace recurra {

// The leading dimensions of x and of tensors like it: (steps, batch), a cell's (batch), or packed (rows).
class Sequences {
 public:
  // The batch is that of x. If x is packed, it is that of the states, or without states (-1) that of the first step.
  Sequences(const View& x, std::int64_t input_size, nanobind::handle batch_sizes, nanobind::handle reset,
            std::int64_t states_batch)
      : is_packed_(!batch_sizes.is_none()) {
    const int rank = x.rank();
    require_shape((rank == 2 || (rank == 3 && !is_packed_)) && x.size(rank - 1) == input_size, "x");
    leading_count_ = static_cast<std::size_t>(rank - 1);
    for (std::size_t n = 0; n < leading_count_; ++n) leading_[n] = x.size(static_cast<int>(n));
    if (is_packed_) {
      read_batch_sizes(batch_sizes);
      steps_ = static_cast<std::int64_t>(batch_sizes_.size());
      batch_ = states_batch >= 0 ? states_batch : steps_ > 0 ? batch_sizes_[0] : 0;
    } else {
      steps_ = is_cell() ? 1 : leading_[0];
      batch_ = leading_[leading_count_ - 1];
    }
    if (!reset.is_none()) read_reset(reset);
  }

  Extent extent(bool is_reverse, int threads) const {
    return {.steps = steps_,
            .batch = batch_,
            .batch_sizes = is_packed_ ? batch_sizes_.data() : nullptr,
            .is_reverse = is_reverse,
            .reset = reset_data_,
            .threads = threads};
  }

  bool is_cell() const { return leading_count_ == 1 && !is_packed_; }
  std::int64_t batch() const { return batch_; }
  std::int64_t rows() const { return product_of(leading_, leading_count_); }

  void check(const View& v, std::int64_t width, const char* name) const {
    std::int64_t shape[] = {leading_[0], leading_[1], width};
    shape[leading_count_] = width;
    require_shape(v.has_shape(shape, leading_count_ + 1), name);
  }

  // Adds rows in the layout of a view, which must have been checked and have contiguous features.
  template <class T>
  void put_input(CallBuilder<T>& call, T* data, const View& v) const {
    call.input(data, leading_count_ == 1 ? 0 : v.stride(0), v.stride(v.rank() - 2));
  }

  // Adds contiguous rows.
  template <class T>
  void put_dense_input(CallBuilder<T>& call, T* data, std::int64_t width) const {
    call.input(data, batch_ * width, width);
  }

  template <class T>
  void put_output(CallBuilder<T>& call, T* data, std::int64_t width) const {
    call.output(data, batch_ * width, width);
  }

  template <class T>
  NewTensor<T> new_rows(std::int64_t width) const {
    std::int64_t shape[] = {leading_[0], leading_[1], width};
    shape[leading_count_] = width;
    return {shape, leading_count_ + 1};
  }

 private:
  void read_batch_sizes(nanobind::handle tensor) {
    const View v = view(tensor, Dtype::int64, "batch_sizes");
    require_shape(v.rank() == 1, "batch_sizes");
    std::int64_t left = leading_[0];
    for (std::int64_t t = 0; t < v.size(0); ++t) {
      const std::int64_t size = v.data<const std::int64_t>()[t * v.stride(0)];
      require(size >= 0 && size <= left, "batch sizes that do not add up to x's rows");
      batch_sizes_.push_back(size);
      left -= size;
    }
    require(left == 0, "batch sizes that do not add up to x's rows");
  }

  void read_reset(nanobind::handle tensor) {
    View v = view(tensor, Dtype::boolean, "reset");
    require_shape(v.has_shape(leading_, leading_count_), "reset");
    if (!v.is_contiguous()) {
      reset_ = contiguous(tensor);
      v = view(reset_, Dtype::boolean, "reset");
    }
    reset_data_ = v.data<const bool>();
  }

  bool is_packed_;
  std::size_t leading_count_;
  std::int64_t leading_[2] = {0, 0};
  std::int64_t steps_, batch_;
  std::vector<std::int64_t> batch_sizes_;  // a copy, so that nobody changes it while native code runs
  nanobind::object reset_;
  const bool* reset_data_ = nullptr;
};

}  // namespace recurra
