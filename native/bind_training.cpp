#include "bind_training.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bind_kernel.h"
#include "torch_tensors.h"

namespace nb = nanobind;

namespace recurra {
namespace {

using Sizes = std::vector<std::int64_t>;
using Handles = std::vector<nb::handle>;

// What a row of the backward pass is.
enum RowGroup : std::int64_t { row_x, row_output, row_kept, row_arriving };

// How the backward pass follows the forward pass; the words of engines/native/kernel.py's Backward.
struct Links {
  std::vector<std::pair<std::int64_t, std::int64_t>> rows;  // group, and of what is kept the number
  Sizes constants, carried, entering;
  bool has_input;
  Sizes results;  // for each parameter which constant result is its gradient, or -1
};

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

// One thing out of several, by a number from Python.
template <class List>
auto& pick(List& list, std::int64_t number) {
  require(number >= 0 && number < static_cast<std::int64_t>(list.size()), "no such number");
  return list[static_cast<std::size_t>(number)];
}

class Training {
 public:
  Training(nb::object forward, nb::object backward, bool is_cell, bool is_reverse, Sizes state_sizes, std::int64_t output_size,
           Sizes kept_widths, std::vector<Sizes> result_shapes, std::vector<std::pair<std::int64_t, std::int64_t>> rows,
           Sizes constants, Sizes carried, Sizes entering, bool has_input, Sizes results)
      : forward_(std::move(forward)), backward_(std::move(backward)), is_cell_(is_cell), is_reverse_(is_reverse),
        is_double_(dynamic_cast<const TypedKernel<double>*>(nb::cast<const AnyKernel*>(forward_)) != nullptr),
        state_sizes_(std::move(state_sizes)), output_size_(output_size), kept_widths_(std::move(kept_widths)),
        result_shapes_(std::move(result_shapes)),
        links_{std::move(rows), std::move(constants), std::move(carried), std::move(entering), has_input, std::move(results)} {
    require(is_double_ ? fits<double>() : fits<float>(), "kernels that do not fit together");
  }

  nb::object forward(nb::handle x, nb::handle others, int threads) const {
    return is_double_ ? forward_as<double>(x, others, threads) : forward_as<float>(x, others, threads);
  }

  nb::object backward(nb::handle needed, nb::handle saved, nb::handle gradients, int threads) const {
    return is_double_ ? backward_as<double>(needed, saved, gradients, threads)
                      : backward_as<float>(needed, saved, gradients, threads);
  }

 private:
  template <class T>
  static const Executor<T>& executor_of(const nb::object& kernel) {
    const auto* typed = dynamic_cast<const TypedKernel<T>*>(nb::cast<const AnyKernel*>(kernel));
    require(typed != nullptr, "a kernel of another dtype");
    return typed->executor();
  }

  template <class T>
  bool fits() const {
    const Code& there = executor_of<T>(forward_).code();
    const Code& back = executor_of<T>(backward_).code();
    Sizes outputs = {output_size_};
    outputs.insert(outputs.end(), kept_widths_.begin(), kept_widths_.end());
    bool fit = there.states == state_sizes_ && there.input_widths.size() == 1 && there.output_widths == outputs &&
               there.results.empty() && !there.opposite && there.beginnings == 0 && back.opposite &&
               back.beginnings <= static_cast<std::int64_t>(links_.entering.size()) &&
               back.input_widths.size() == links_.rows.size() && back.parameters == static_cast<std::int64_t>(links_.constants.size()) &&
               back.output_widths.size() == (links_.has_input ? 1u : 0u) && back.states.size() == links_.carried.size() &&
               back.results.size() == result_shapes_.size() && links_.results.size() == there.parameter_rows.size();
    for (std::size_t n = 0; fit && n < links_.rows.size(); ++n) {
      const auto [group, number] = links_.rows[n];
      const std::int64_t width = group == row_x ? there.input_widths[0] : group == row_kept ? pick(kept_widths_, number) : output_size_;
      fit = group >= row_x && group <= row_arriving && back.input_widths[n] == width;
    }
    for (std::size_t n = 0; fit && n < links_.carried.size(); ++n) fit = back.states[n] == pick(state_sizes_, links_.carried[n]);
    for (const std::int64_t number : links_.entering) fit = fit && number >= 0 && number < states();
    for (const std::int64_t number : links_.constants) fit = fit && number >= 0 && number < there.parameters;
    for (const std::int64_t number : links_.results) fit = fit && number < static_cast<std::int64_t>(result_shapes_.size());
    for (std::size_t n = 0; fit && n < result_shapes_.size(); ++n) {
      const Value& value = back.values[back.results[n]];
      const std::int64_t size = std::accumulate(result_shapes_[n].begin(), result_shapes_[n].end(), std::int64_t(1), std::multiplies<>());
      fit = size == value.width * std::max<std::int64_t>(1, value.rows);
    }
    return fit;
  }

  std::int64_t states() const { return static_cast<std::int64_t>(state_sizes_.size()); }
  std::int64_t kept_width() const { return std::accumulate(kept_widths_.begin(), kept_widths_.end(), std::int64_t(0)); }

  static Handles items(nb::handle tuple, std::size_t count) {
    require(PyTuple_Check(tuple.ptr()) && nb::len(tuple) == count, "not as many tensors as there should be");
    Handles list;
    for (std::size_t n = 0; n < count; ++n) list.push_back(PyTuple_GetItem(tuple.ptr(), static_cast<Py_ssize_t>(n)));
    return list;
  }

  View view_of(nb::handle tensor) const { return view(tensor, is_double_); }

  // The tensor, or where its features lie apart (hooks may have unpacked it so) a copy.
  nb::object made_even(nb::handle tensor) const {
    const View v = view_of(tensor);
    return v.rank() == 0 || v.is_even() ? nb::borrow(tensor) : contiguous(tensor);
  }

  // x, the output or what arrives there: (steps, batch, width), of a cell (batch, width).
  struct Sequences {
    View view;
    std::int64_t steps, batch, by_step, by_row;
    template <class T>
    Rows<T> rows() const {
      return Training::rows(view.data<T>(), by_step, by_row, batch);
    }
  };

  Sequences sequences(nb::handle tensor, std::int64_t width) const {
    const View v = view_of(tensor);
    const int rank = is_cell_ ? 2 : 3;
    require(v.rank() == rank && v.size(rank - 1) == width, "a tensor of another shape");
    return {v, is_cell_ ? 1 : v.size(0), v.size(rank - 2), is_cell_ ? 0 : v.stride(0), v.stride(rank - 2)};
  }

  template <class T>
  Fixed<const T> fixed(nb::handle tensor, std::int64_t rows, std::int64_t width) const {
    const View v = view_of(tensor);
    const int rank = v.rank();
    require(rank <= 2 && (rank > 1 ? v.size(0) : 1) == rows && (rank > 0 ? v.size(rank - 1) : 1) == width, "a parameter of another shape");
    return {v.data<const T>(), rank > 1 ? v.stride(0) : 0, rank > 0 ? v.stride(rank - 1) : 0};
  }

  // Rows of all sequences; one sequence's steps count as one run of rows.
  template <class T>
  static Rows<T> rows(T* data, std::int64_t by_step, std::int64_t by_row, std::int64_t batch) {
    return {data, by_step, batch == 1 ? by_step : by_row};
  }

  template <class T>
  Call<T> call_of(std::int64_t steps, std::int64_t batch, bool is_reverse, int threads) const {
    require(steps > 0 && batch > 0, "no steps, or no sequences");
    Call<T> call;
    call.steps = steps, call.batch = batch, call.reverse = is_reverse, call.threads = threads;
    return call;
  }

  template <class T>
  static void run(const Executor<T>& executor, const Call<T>& call) {
    nb::gil_scoped_release unlocked;
    executor.run(call, nullptr);
  }

  template <class T>
  nb::object forward_as(nb::handle x, nb::handle others, int threads) const {
    const Executor<T>& executor = executor_of<T>(forward_);
    const Code& code = executor.code();
    const Handles given = items(others, state_sizes_.size() + code.parameter_rows.size());
    const Sequences in = sequences(x, code.input_widths[0]);
    require(in.view.is_even(), "an input whose features lie apart");
    const std::int64_t steps = in.steps, batch = in.batch, count = steps * batch;
    Call<T> call = call_of<T>(steps, batch, is_reverse_, threads);
    for (std::size_t n = 0; n < code.parameter_rows.size(); ++n) {
      call.parameters.push_back(fixed<T>(given[state_sizes_.size() + n], code.parameter_rows[n], code.parameter_widths[n]));
    }
    call.inputs = {in.rows<T>()};
    const std::int64_t shape[] = {steps, batch, output_size_};
    const nb::object output = empty(shape + is_cell_, is_cell_ ? 2 : 3, is_double_), kept = empty({count * kept_width()}, is_double_);
    call.outputs.push_back(rows(view_of(output).template data<T>(), batch * output_size_, output_size_, batch));
    T* place = view_of(kept).template data<T>();
    for (const std::int64_t width : kept_widths_) {
      call.outputs.push_back(rows(place, batch * width, width, batch));
      place += count * width;
    }
    const nb::object made = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(2 + state_sizes_.size())));
    PyTuple_SetItem(made.ptr(), 0, kept.inc_ref().ptr());
    PyTuple_SetItem(made.ptr(), 1, output.inc_ref().ptr());
    for (std::size_t n = 0; n < state_sizes_.size(); ++n) {
      const std::int64_t size = state_sizes_[n];
      const nb::object last = new_state(batch, size);
      call.first.push_back(first<T>(given[n], batch, size));
      call.last.push_back({view_of(last).template data<T>(), size});
      PyTuple_SetItem(made.ptr(), static_cast<Py_ssize_t>(2 + n), last.inc_ref().ptr());
    }
    run(executor, call);
    return made;
  }

  // A state of one scan is (1, batch, size), as layers hand states on; of a cell (batch, size).
  nb::object new_state(std::int64_t batch, std::int64_t size) const {
    const std::int64_t shape[] = {1, batch, size};
    return empty(shape + is_cell_, is_cell_ ? 2 : 3, is_double_);
  }

  template <class T>
  Batch<const T> first(nb::handle tensor, std::int64_t batch, std::int64_t size) const {
    if (tensor.is_none()) return {nullptr, 0};
    const View v = view_of(tensor);
    const std::int64_t shape[] = {1, batch, size};
    require(v.has_shape(shape + is_cell_, is_cell_ ? 2 : 3) && v.is_even(), "a state of another shape");
    return {v.data<const T>(), v.stride(is_cell_ ? 0 : 1)};
  }

  // What arrives at the output: a row for each sequence at each step, or, where it is the same number everywhere, one row.
  template <class T>
  Rows<T> arriving(nb::handle gradient, std::int64_t steps, std::int64_t batch, std::vector<T>& row, nb::object& held) const {
    T number = 0;
    if (!gradient.is_none()) {
      Sequences found = sequences(gradient, output_size_);
      require(found.steps == steps && found.batch == batch, "a gradient of another shape");
      const View& v = found.view;
      const bool is_same = found.by_step == 0 && found.by_row == 0 && v.stride(v.rank() - 1) == 0;
      if (!is_same) {
        if (!v.is_even()) {
          held = contiguous(gradient);
          found = sequences(held, output_size_);
        }
        return found.rows<T>();
      }
      number = *v.data<T>();
    }
    row.assign(static_cast<std::size_t>(output_size_), number);
    return {row.data(), 0, 0};
  }

  template <class T>
  nb::object backward_as(nb::handle needed, nb::handle saved, nb::handle gradients, int threads) const {
    const Executor<T>& executor = executor_of<T>(backward_);
    const Code& code = executor.code();
    const std::size_t parameters = links_.results.size(), count = state_sizes_.size();
    const Handles given = items(saved, 1 + count + parameters + 2), wanted = items(needed, 1 + count + parameters);
    const Handles arrived = items(gradients, 1 + count);
    const nb::handle *firsts = given.data() + 1, *weights = firsts + count, output = weights[parameters], kept = weights[parameters + 1];
    const std::int64_t input_size = executor_of<T>(forward_).code().input_widths[0];
    std::vector<nb::object> unpacked;
    const auto even = [&](nb::handle tensor) {
      unpacked.push_back(made_even(tensor));
      return nb::handle(unpacked.back());
    };
    const Sequences in = sequences(even(given[0]), input_size), out = sequences(even(output), output_size_);
    const std::int64_t steps = in.steps, batch = in.batch;
    const View stored = view_of(even(kept));
    require(out.steps == steps && out.batch == batch && stored.rank() == 1 && stored.size(0) == steps * batch * kept_width(),
            "saved tensors of other shapes");
    Call<T> call = call_of<T>(steps, batch, !is_reverse_, threads);
    for (std::size_t n = 0; n < links_.constants.size(); ++n) {
      call.parameters.push_back(fixed<T>(weights[links_.constants[n]], code.parameter_rows[n], code.parameter_widths[n]));
    }
    std::vector<T> row;
    std::vector<nb::object> held(1 + count);
    for (const auto& [group, number] : links_.rows) {
      if (group == row_x) {
        call.inputs.push_back(in.rows<T>());
      } else if (group == row_output) {
        call.inputs.push_back(out.rows<T>());
      } else if (group == row_arriving) {
        call.inputs.push_back(arriving<T>(arrived[0], steps, batch, row, held[0]));
      } else {
        const std::int64_t ahead = std::accumulate(kept_widths_.begin(), kept_widths_.begin() + number, std::int64_t(0));
        const std::int64_t width = kept_widths_[static_cast<std::size_t>(number)];
        call.inputs.push_back(rows(stored.data<T>() + steps * batch * ahead, batch * width, width, batch));
      }
    }
    const nb::object made = nb::steal(PyList_New(static_cast<Py_ssize_t>(1 + count + parameters)));
    const auto give = [&](std::size_t place, nb::object value) {
      PyList_SetItem(made.ptr(), static_cast<Py_ssize_t>(place), value.release().ptr());
    };
    for (std::size_t n = 0; n < 1 + count + parameters; ++n) give(n, nb::none());
    if (links_.has_input) {
      const nb::object dx = empty(in.view.tensor.shape, static_cast<std::size_t>(in.view.rank()), is_double_);
      call.outputs = {rows(view_of(dx).template data<T>(), batch * input_size, input_size, batch)};
      give(0, dx);
    }
    for (const std::int64_t number : links_.carried) {
      const auto n = static_cast<std::size_t>(number);
      const std::int64_t size = state_sizes_[n];
      const nb::handle gradient = arrived[1 + n];
      if (gradient.is_none()) {
        call.first.push_back({nullptr, 0});
      } else {
        held[1 + n] = made_even(gradient);
        call.first.push_back(first<T>(held[1 + n], batch, size));
      }
      T* last = nullptr;
      if (wanted[1 + n].ptr() == Py_True) {
        const nb::object found = new_state(batch, size);
        last = view_of(found).template data<T>();
        give(1 + n, found);
      }
      call.last.push_back({last, size});
    }
    for (const std::int64_t number : links_.entering) {
      const nb::handle state = firsts[number].is_none() ? firsts[number] : even(firsts[number]);
      call.beginning.push_back(first<T>(state, batch, pick(state_sizes_, number)));
    }
    std::vector<nb::object> results;
    for (const Sizes& shape : result_shapes_) {
      results.push_back(empty(shape.data(), shape.size(), is_double_));
      call.results.push_back(view_of(results.back()).template data<T>());
    }
    run(executor, call);
    std::vector<char> taken(results.size(), 0);
    for (std::size_t n = 0; n < parameters; ++n) {
      if (links_.results[n] < 0) continue;
      const auto number = static_cast<std::size_t>(links_.results[n]);
      give(1 + count + n, taken[number] ? copy_of<T>(results[number], result_shapes_[number]) : results[number]);
      taken[number] = 1;
    }
    return made;
  }

  // Two parameters with the same gradient get one each.
  template <class T>
  nb::object copy_of(nb::handle tensor, const Sizes& shape) const {
    nb::object copy = empty(shape.data(), shape.size(), is_double_);
    const std::int64_t size = std::accumulate(shape.begin(), shape.end(), std::int64_t(1), std::multiplies<>());
    if (size > 0) std::memcpy(view_of(copy).template data<T>(), view_of(tensor).template data<T>(), static_cast<std::size_t>(size) * sizeof(T));
    return copy;
  }

  nb::object forward_, backward_;
  bool is_cell_, is_reverse_, is_double_;
  Sizes state_sizes_;
  std::int64_t output_size_;
  Sizes kept_widths_;
  std::vector<Sizes> result_shapes_;
  Links links_;
};

}  // namespace

void bind_training(nb::module_& m) {
  using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;
  nb::class_<Training>(m, "Training", "One scan's forward and backward pass, on plain tensors of torch.")
      .def(nb::init<nb::object, nb::object, bool, bool, Sizes, std::int64_t, Sizes, std::vector<Sizes>, Pairs, Sizes, Sizes, Sizes,
                    bool, Sizes>(),
           nb::arg("forward"), nb::arg("backward"), nb::arg("is_cell"), nb::arg("is_reverse"), nb::arg("state_sizes"), nb::arg("output_size"),
           nb::arg("kept_widths"), nb::arg("result_shapes"), nb::arg("rows"), nb::arg("constants"), nb::arg("carried"),
           nb::arg("entering"), nb::arg("has_input"), nb::arg("results"),
           "See Backward in engines/native/kernel.py. Raises ValueError where the kernels do not fit together.")
      .def("forward", &Training::forward, nb::arg("x"), nb::arg("others"), nb::arg("threads"),
           "What is kept, the output and the last states; `others` are the first states, None for zeros, and the parameters.\n\n"
           "x is (steps, batch, features) and a state (1, batch, size); of a cell both lack their first dimension.")
      .def("backward", &Training::backward, nb::arg("needed"), nb::arg("saved"), nb::arg("gradients"), nb::arg("threads"),
           "The gradients of x, of the states and of the parameters.\n\n"
           "`saved` are x, the others, the output and what was kept; `gradients` arrive at the output and the last states.");
}

}  // namespace recurra
