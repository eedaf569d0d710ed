// The Python class recurra._native.TensorScan: the forward and backward pass of one scan, on torch's tensors.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "bind_tensors.h"
#include "tensor_sequences.h"

namespace nb = nanobind;

namespace recurra {
namespace {

// The source of a row variable of the backward pass; numbered as _GROUPS in engines/native/torch_calls.py.
enum RowGroup : std::int64_t { row_x, row_output, row_mask, row_kept, row_arriving };

// The link from the forward pass to the backward pass (`Backward` in engines/saved.py).
struct Links {
  std::vector<std::pair<std::int64_t, std::int64_t>> rows;  // group, and the number within it
  Sizes constants, carried, entering;
  Sizes results;  // for each parameter, the number of the constant result that is its gradient; or -1
};

class TensorScan {
 public:
  virtual ~TensorScan() = default;
  virtual nb::object forward(nb::handle x, nb::handle others, nb::handle masks, nb::handle batch_sizes,
                             nb::handle reset, int threads, nb::handle prepared) const = 0;
  virtual nb::object backward(nb::handle needed, nb::handle saved, nb::handle gradients, nb::handle batch_sizes,
                              nb::handle reset, int threads) const = 0;
};

// Returns an item by a number from Python, which is checked.
std::int64_t pick(const Sizes& list, std::int64_t number) {
  require(number >= 0 && number < static_cast<std::int64_t>(list.size()), "no such number");
  return list[static_cast<std::size_t>(number)];
}

template <class T>
class ScanOf : public TensorScan {
 public:
  ScanOf(nb::object forward, nb::object backward, bool is_reverse, bool layer_states,
         std::vector<Sizes> parameter_shapes, std::int64_t traced, Links links)
      : owners_{forward, backward},
        forward_(kernel_of<T>(forward)),
        backward_(backward.is_none() ? nullptr : &kernel_of<T>(backward)),
        is_reverse_(is_reverse),
        layer_states_(layer_states),
        shapes_(std::move(parameter_shapes)),
        links_(std::move(links)) {
    const Code& code = forward_code();
    const std::int64_t outputs = static_cast<std::int64_t>(code.output_widths.size());
    require(code.input_widths.size() >= 1 && traced >= 0 && outputs >= 1 + traced && code.results.empty() &&
                !code.opposite && code.beginnings == 0,
            "a forward kernel of another form");
    require(has_parameters(code, shapes_), "a kernel with parameters of other shapes");
    offered_.assign(code.output_widths.begin(), code.output_widths.begin() + 1 + traced);
    kept_.assign(code.output_widths.begin() + 1 + traced, code.output_widths.end());
    masks_.assign(code.input_widths.begin() + 1, code.input_widths.end());
    kept_width_ = std::accumulate(kept_.begin(), kept_.end(), std::int64_t(0));
    if (backward_ == nullptr)
      require(kept_.empty() && links_.rows.empty() && links_.results.empty(), "links without a backward kernel");
    else check_backward();
  }

  nb::object forward(nb::handle x, nb::handle others, nb::handle masks, nb::handle batch_sizes, nb::handle reset,
                     int threads, nb::handle prepared) const override {
    const Items given(others, states() + shapes_.size(), "not as many states and parameters as there should be");
    const Items drawn(masks, masks_.size(), "not as many masks as there should be");
    const Constants<T>* constants = forward_.constants_of(nb::borrow(prepared));
    Pass pass(forward_code(), x, batch_sizes, reset, batch_of(given, 0), forward_code().input_widths[0], is_reverse_,
              threads);
    for (std::size_t n = 0; n < shapes_.size(); ++n) put_parameter(pass, given[states() + n], n);
    pass.sequences.put_input(pass.call, pass.x.template data<T>(), pass.x);
    for (std::size_t n = 0; n < masks_.size(); ++n) put_rows(pass, drawn[n], masks_[n], "a mask");
    std::vector<nb::object> made(1 + states() + offered_.size());
    for (std::size_t n = 0; n < offered_.size(); ++n) {
      made[n == 0 ? 1 : 1 + states() + n] = new_rows(pass, offered_[n]);
    }
    made[0] = put_kept(pass);
    for (std::size_t n = 0; n < states(); ++n) {
      const std::int64_t size = forward_code().states[n];
      const Batch<const T> first = first_state(pass, given[n], size, "a state");
      const NewTensor<T> last = new_state(pass.sequences, size);
      pass.call.state(first.data, first.row_stride, last.data, size);
      made[2 + n] = last.tensor;
    }
    run(forward_, pass.call, constants);
    return tuple_of(made);
  }

  nb::object backward(nb::handle needed, nb::handle saved, nb::handle gradients, nb::handle batch_sizes,
                      nb::handle reset, int threads) const override {
    require(backward_ != nullptr, "this scan has no backward pass");
    const std::size_t sources = 1 + states() + shapes_.size();
    const Items wanted(needed, sources, "not as many wishes as there should be");
    const Items given(saved, sources + 2 + masks_.size(), "not as many saved tensors as there should be");
    const Items arrived(gradients, states() + offered_.size(), "not as many gradients as there should be");
    const Code& code = backward_->executor().code();
    Pass pass(code, given[0], batch_sizes, reset, batch_of(given, 1), forward_code().input_widths[0], !is_reverse_,
              threads);
    for (const std::int64_t number : links_.constants) {
      const auto n = static_cast<std::size_t>(number);
      put_parameter(pass, given[1 + states() + n], n);
    }
    std::vector<std::vector<T>> single(offered_.size());
    for (const auto& [group, number] : links_.rows)
      put_row(pass, group, static_cast<std::size_t>(number), given, arrived, single);
    std::vector<nb::object> made(sources, nb::none());
    if (!code.output_widths.empty()) made[0] = new_rows(pass, code.output_widths[0]);
    put_states(pass, wanted, given, arrived, made);
    const std::vector<NewTensor<T>> results = put_results(pass.call);
    run(*backward_, pass.call, nullptr);
    give_results(results, made);
    return nb::list(tuple_of(made));
  }

 private:
  // One pass over some sequences.
  struct Pass {
    Pass(const Code& code, nb::handle input, nb::handle batch_sizes, nb::handle reset, std::int64_t states_batch,
         std::int64_t input_size, bool is_reverse, int threads)
        : x(tensors.with_contiguous_features(input, "x")),
          sequences(x, input_size, batch_sizes, reset, states_batch),
          call(code, sequences.extent(is_reverse, threads)) {}

    Tensors<T> tensors;
    View x;
    Sequences sequences;
    CallBuilder<T> call;
  };

  const Code& forward_code() const { return forward_.executor().code(); }
  std::size_t states() const { return forward_code().states.size(); }

  // Throws if the two passes do not fit each other.
  void check_backward() {
    const Code &there = forward_code(), &back = backward_->executor().code();
    require(back.opposite && back.beginnings <= static_cast<std::int64_t>(links_.entering.size()) &&
                back.output_widths.size() <= 1 && back.input_widths.size() == links_.rows.size() &&
                back.parameter_rows.size() == links_.constants.size() && back.states.size() == links_.carried.size() &&
                links_.results.size() == shapes_.size() &&
                (back.output_widths.empty() || back.output_widths[0] == there.input_widths[0]),
            "kernels that do not fit together");
    const Sizes x = {there.input_widths[0]}, output = {offered_[0]};
    const Sizes* groups[] = {&x, &output, &masks_, &kept_, &offered_};
    for (std::size_t n = 0; n < links_.rows.size(); ++n) {
      const auto [group, number] = links_.rows[n];
      require(group >= row_x && group <= row_arriving && pick(*groups[group], number) == back.input_widths[n],
              "rows of other widths");
    }
    for (std::size_t n = 0; n < links_.carried.size(); ++n) {
      require(pick(there.states, links_.carried[n]) == back.states[n], "states of other sizes");
    }
    for (const std::int64_t number : links_.entering) pick(there.states, number);
    for (std::size_t n = 0; n < links_.constants.size(); ++n) {
      require(pick(there.parameter_rows, links_.constants[n]) == back.parameter_rows[n] &&
                  pick(there.parameter_widths, links_.constants[n]) == back.parameter_widths[n],
              "parameters of other shapes");
    }
    check_results(back);
  }

  // Checks that each constant result is the gradient of one or more parameters, and finds its shape.
  void check_results(const Code& back) {
    result_shapes_.assign(back.results.size(), nullptr);
    for (std::size_t n = 0; n < shapes_.size(); ++n) {
      const std::int64_t number = links_.results[n];
      require(number >= -1 && number < static_cast<std::int64_t>(back.results.size()), "no such number");
      if (number < 0) continue;
      const Sizes*& shape = result_shapes_[static_cast<std::size_t>(number)];
      require(shape == nullptr || *shape == shapes_[n], "two shapes of one gradient");
      shape = &shapes_[n];
    }
    for (std::size_t n = 0; n < result_shapes_.size(); ++n) {
      const Value& value = back.values[back.results[n]];
      const Sizes* shape = result_shapes_[n];
      require(shape != nullptr &&
                  product_of(shape->data(), shape->size()) == value.width * std::max<std::int64_t>(1, value.rows),
              "a gradient of another shape");
    }
  }

  // The batch of the first state that is not None; -1 if all are. States begin at item number `place`.
  std::int64_t batch_of(const Items& items, std::size_t place) const {
    for (std::size_t n = 0; n < states(); ++n) {
      const nb::handle state = items[place + n];
      if (state.is_none()) continue;
      const View v = view(state, dtype_of<T>, "a state");
      require(v.rank() >= 2, "a state of another shape");
      return v.size(v.rank() - 2);
    }
    return -1;
  }

  void put_parameter(Pass& pass, nb::handle tensor, std::size_t number) const {
    const View v = view(tensor, dtype_of<T>, "a parameter");
    require(v.has_shape(shapes_[number].data(), shapes_[number].size()), "a parameter of another shape");
    pass.tensors.put_parameter(pass.call, tensor, v);
  }

  static void put_rows(Pass& pass, nb::handle tensor, std::int64_t width, const char* name) {
    const View v = pass.tensors.with_contiguous_features(tensor, name);
    pass.sequences.check(v, width, name);
    pass.sequences.put_input(pass.call, v.data<T>(), v);
  }

  static nb::object new_rows(Pass& pass, std::int64_t width) {
    const NewTensor<T> made = pass.sequences.template new_rows<T>(width);
    pass.sequences.put_output(pass.call, made.data, width);
    return made.tensor;
  }

  // Makes the flat tensor for all arrays that the forward pass keeps; None without a backward pass.
  nb::object put_kept(Pass& pass) const {
    if (backward_ == nullptr) return nb::none();
    const std::int64_t rows = pass.sequences.rows();
    const NewTensor<T> kept{rows * kept_width_};
    T* place = kept.data;
    for (const std::int64_t width : kept_) {
      pass.sequences.put_output(pass.call, place, width);
      place += rows * width;
    }
    return kept.tensor;
  }

  // Adds the array of one row variable of the backward pass.
  void put_row(Pass& pass, std::int64_t group, std::size_t number, const Items& given, const Items& arrived,
               std::vector<std::vector<T>>& single) const {
    const std::size_t output = 1 + states() + shapes_.size();  // its number among the saved items
    if (group == row_x) pass.sequences.put_input(pass.call, pass.x.template data<T>(), pass.x);
    else if (group == row_output) put_rows(pass, given[output], offered_[0], "the output");
    else if (group == row_mask) put_rows(pass, given[output + 2 + number], masks_[number], "a mask");
    else if (group == row_kept) put_kept_row(pass, given[output + 1], number);
    else put_arriving(pass, arrived[number == 0 ? 0 : states() + number], offered_[number], single[number]);
  }

  void put_kept_row(Pass& pass, nb::handle tensor, std::size_t number) const {
    const View v = pass.tensors.with_contiguous_features(tensor, "what was kept");
    const std::int64_t rows = pass.sequences.rows();
    require(v.rank() == 1 && v.size(0) == rows * kept_width_, "what was kept has another shape");
    const std::int64_t ahead =
        std::accumulate(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(number), std::int64_t(0));
    pass.sequences.put_dense_input(pass.call, v.data<T>() + rows * ahead, kept_[number]);
  }

  // Adds an arriving gradient. If it is the same number everywhere, as for a sum, a single row stands for all rows.
  static void put_arriving(Pass& pass, nb::handle gradient, std::int64_t width, std::vector<T>& row) {
    T number = 0;
    if (!gradient.is_none()) {
      const View v = view(gradient, dtype_of<T>, "a gradient");
      bool is_same = v.tensor.data != nullptr;
      for (int n = 0; n < v.rank(); ++n) is_same = is_same && v.stride(n) == 0;
      if (!is_same) return put_rows(pass, gradient, width, "a gradient");
      pass.sequences.check(v, width, "a gradient");
      number = *v.data<T>();
    }
    row.assign(static_cast<std::size_t>(width), number);
    pass.call.input(row.data(), 0, 0);
  }

  // Adds the gradients of states: those that arrive at the last states, and the memory for those of the first states.
  // Then adds the first states of the forward pass.
  void put_states(Pass& pass, const Items& wanted, const Items& given, const Items& arrived,
                  std::vector<nb::object>& made) const {
    for (const std::int64_t number : links_.carried) {
      const auto n = static_cast<std::size_t>(number);
      const std::int64_t size = forward_code().states[n];
      const Batch<const T> first = first_state(pass, arrived[1 + n], size, "a last state's gradient");
      T* last = nullptr;
      if (wanted[1 + n].ptr() == Py_True) {
        const NewTensor<T> found = new_state(pass.sequences, size);
        last = found.data;
        made[1 + n] = found.tensor;
      }
      pass.call.state(first.data, first.row_stride, last, size);
    }
    for (const std::int64_t number : links_.entering) {
      const auto n = static_cast<std::size_t>(number);
      const Batch<const T> state = first_state(pass, given[1 + n], forward_code().states[n], "a state");
      pass.call.beginning(state.data, state.row_stride);
    }
  }

  Batch<const T> first_state(Pass& pass, nb::handle tensor, std::int64_t size, const char* name) const {
    if (tensor.is_none()) return {nullptr, 0};
    const View v = pass.tensors.with_contiguous_features(tensor, name);
    const std::int64_t shape[] = {1, pass.sequences.batch(), size};
    const bool is_flat = has_flat_states(pass.sequences);
    require_shape(v.has_shape(shape + is_flat, is_flat ? 2 : 3), name);
    return {v.data<const T>(), v.tensor.data == nullptr ? 0 : v.stride(v.rank() - 2)};
  }

  NewTensor<T> new_state(const Sequences& sequences, std::int64_t size) const {
    const std::int64_t shape[] = {1, sequences.batch(), size};
    const bool is_flat = has_flat_states(sequences);
    return {shape + is_flat, is_flat ? std::size_t(2) : std::size_t(3)};
  }

  bool has_flat_states(const Sequences& sequences) const { return !layer_states_ || sequences.is_cell(); }

  std::vector<NewTensor<T>> put_results(CallBuilder<T>& call) const {
    std::vector<NewTensor<T>> results;
    for (const Sizes* shape : result_shapes_) {
      results.emplace_back(shape->data(), shape->size());
      call.result(results.back().data);
    }
    return results;
  }

  // Returns the gradients of parameters; parameters that share a gradient get a copy each.
  void give_results(const std::vector<NewTensor<T>>& results, std::vector<nb::object>& made) const {
    std::vector<char> taken(results.size(), 0);
    for (std::size_t n = 0; n < shapes_.size(); ++n) {
      if (links_.results[n] < 0) continue;
      const std::size_t number = static_cast<std::size_t>(links_.results[n]);
      made[1 + states() + n] = taken[number] ? copy_of(results[number], shapes_[n]) : results[number].tensor;
      taken[number] = 1;
    }
  }

  static nb::object copy_of(const NewTensor<T>& tensor, const Sizes& shape) {
    const NewTensor<T> copy(shape.data(), shape.size());
    const std::int64_t size = product_of(shape.data(), shape.size());
    if (size > 0) std::memcpy(copy.data, tensor.data, static_cast<std::size_t>(size) * sizeof(T));
    return copy.tensor;
  }

  static void run(const TypedKernel<T>& kernel, const CallBuilder<T>& call, const Constants<T>* constants) {
    const Call<T>& made = call.finished();
    nb::gil_scoped_release unlocked;
    kernel.executor().run(made, constants);
  }

  nb::object owners_[2];
  const TypedKernel<T>& forward_;
  const TypedKernel<T>* backward_;
  bool is_reverse_, layer_states_;
  std::vector<Sizes> shapes_;  // of the parameters
  Links links_;
  Sizes offered_;  // features of the output, then of each traced variable
  Sizes kept_, masks_;
  std::int64_t kept_width_ = 0;
  std::vector<const Sizes*> result_shapes_;
};

using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

TensorScan* make(nb::object forward, nb::object backward, bool is_reverse, bool layer_states,
                 std::vector<Sizes> parameter_shapes, std::int64_t traced, Pairs rows, Sizes constants, Sizes carried,
                 Sizes entering, Sizes results) {
  Links links{std::move(rows), std::move(constants), std::move(carried), std::move(entering), std::move(results)};
  if (is_double(forward)) {
    return new ScanOf<double>(forward, backward, is_reverse, layer_states, std::move(parameter_shapes), traced,
                              std::move(links));
  }
  return new ScanOf<float>(forward, backward, is_reverse, layer_states, std::move(parameter_shapes), traced,
                           std::move(links));
}

}  // namespace

void bind_tensor_scan(nb::module_& m) {
  nb::class_<TensorScan>(m, "TensorScan", "One scan's forward and backward pass, on plain tensors of torch.")
      .def(nb::new_(&make), nb::arg("forward"), nb::arg("backward").none(), nb::arg("is_reverse"),
           nb::arg("layer_states"), nb::arg("parameter_shapes"), nb::arg("traced"), nb::arg("rows") = Pairs(),
           nb::arg("constants") = Sizes(), nb::arg("carried") = Sizes(), nb::arg("entering") = Sizes(),
           nb::arg("results") = Sizes(),
           "See torch_calls.scan. Raises ValueError where the kernels do not fit together.")
      .def("forward", &TensorScan::forward, nb::arg("x"), nb::arg("others"), nb::arg("masks"),
           nb::arg("batch_sizes").none(), nb::arg("reset").none(), nb::arg("threads"),
           nb::arg("prepared").none() = nb::none(),
           "What is kept, the output, the last states, then what is traced.\n\n"
           "x is (steps, batch, input), a cell's (batch, input), or with `batch_sizes` packed (rows, input); `others`\n"
           "are the first states, None for zeros, and the parameters; masks and what is traced have x's leading\n"
           "dimensions.")
      .def("backward", &TensorScan::backward, nb::arg("needed"), nb::arg("saved"), nb::arg("gradients"),
           nb::arg("batch_sizes").none(), nb::arg("reset").none(), nb::arg("threads"),
           "The gradients of x, of the states and of the parameters.\n\n"
           "`saved` are x, the others, the output, what was kept and the masks; `gradients` arrive at the output, the\n"
           "last states and what is traced, None for zeros.");
}

}  // namespace recurra
