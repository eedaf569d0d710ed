// Builds Call<T> from addresses and strides, and checks them. Every way into the executor goes through here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "executor.h"

namespace recurra {

inline void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

// The sequences of a call.
struct Extent {
  std::int64_t steps, batch;
  const std::int64_t* batch_sizes = nullptr;  // rows of each step; null: dense
  bool is_reverse = false;
  const bool* reset = nullptr;
  int threads = 1;
};

// Parameter number `number` of the code, at an address.
template <class T>
Fixed<const T> parameter_at(const Code& code, std::size_t number, const T* data, std::ptrdiff_t row_stride,
                            std::ptrdiff_t column_stride) {
  const bool is_empty = code.parameter_rows[number] * code.parameter_widths[number] == 0;
  require(data != nullptr || is_empty, "an array has no memory");
  return {data, row_stride, column_stride};
}

// Takes the arrays of each kind in the order of the code. Strides count elements.
template <class T>
class CallBuilder {
 public:
  // The code must outlive the builder.
  CallBuilder(const Code& code, const Extent& extent) : code_(code) {
    require(extent.steps >= 0 && extent.batch >= 0, "a negative number of steps or sequences");
    std::int64_t before = extent.batch;
    for (std::int64_t t = 0; extent.batch_sizes != nullptr && t < extent.steps; ++t) {
      const std::int64_t size = extent.batch_sizes[t];
      require(size >= 0 && size <= before, "batch sizes must not increase, nor exceed the batch");
      before = size;
    }
    call_.steps = extent.steps, call_.batch = extent.batch, call_.batch_sizes = extent.batch_sizes;
    has_rows_ = extent.steps > 0 && (extent.batch_sizes == nullptr ? extent.batch : extent.batch_sizes[0]) > 0;
    call_.parameters.reserve(code.parameter_rows.size());
    call_.first.reserve(code.states.size()), call_.last.reserve(code.states.size());
    call_.reverse = extent.is_reverse, call_.reset = extent.reset, call_.threads = extent.threads;
  }

  void parameter(const T* data, std::ptrdiff_t row_stride, std::ptrdiff_t column_stride) {
    require(call_.parameters.size() < code_.parameter_rows.size(), too_many);
    call_.parameters.push_back(parameter_at(code_, call_.parameters.size(), data, row_stride, column_stride));
  }

  void input(T* data, std::ptrdiff_t step_stride, std::ptrdiff_t row_stride) {
    rows(call_.inputs, code_.input_widths, data, step_stride, row_stride);
  }

  void output(T* data, std::ptrdiff_t step_stride, std::ptrdiff_t row_stride) {
    rows(call_.outputs, code_.output_widths, data, step_stride, row_stride);
  }

  // Adds a state: its first value, null for zeros; and the memory for its last value, null if that is not wanted.
  void state(const T* first, std::ptrdiff_t first_stride, T* last, std::ptrdiff_t last_stride) {
    require(call_.first.size() < code_.states.size(), too_many);
    call_.first.push_back({first, first_stride});
    call_.last.push_back({last, last_stride});
  }

  // Adds a first state of the forward pass, which the backward pass reads; null for zeros.
  void beginning(const T* data, std::ptrdiff_t stride) { call_.beginning.push_back({data, stride}); }

  void result(T* data) {
    require(call_.results.size() < code_.results.size(), too_many);
    const Value& value = code_.values[code_.results[call_.results.size()]];
    require(data != nullptr || value.width == 0, "an array has no memory");
    call_.results.push_back(data);
  }

  // Returns the call. All arrays that the code reads or writes must have been added, except prepared parameters.
  const Call<T>& finished(bool is_prepared = false) const {
    require(call_.beginning.size() >= static_cast<std::size_t>(code_.beginnings), "too few first states");
    require((is_prepared || call_.parameters.size() == code_.parameter_rows.size()) &&
                call_.inputs.size() == code_.input_widths.size() &&
                call_.outputs.size() == code_.output_widths.size() && call_.first.size() == code_.states.size() &&
                call_.results.size() == code_.results.size(),
            "fewer arrays than the code has");
    return call_;
  }

 private:
  static constexpr const char* too_many = "more arrays than the code has";

  void rows(std::vector<Rows<T>>& list, const std::vector<std::int64_t>& widths, T* data, std::ptrdiff_t step_stride,
            std::ptrdiff_t row_stride) {
    require(list.size() < widths.size(), too_many);
    require(data != nullptr || !has_rows_ || widths[list.size()] == 0, "an array has no memory");
    if (data == nullptr) step_stride = row_stride = 0;  // a null pointer has no offsets
    // A batch of one has any stride of rows. With the stride of steps, several steps count as one run of rows.
    if (call_.batch == 1 && call_.batch_sizes == nullptr) row_stride = step_stride;
    list.push_back({data, step_stride, row_stride});
  }

  const Code& code_;
  Call<T> call_;
  bool has_rows_;
};

}  // namespace recurra
