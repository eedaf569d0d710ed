// The Python class recurra._native.TensorLayers: whole calls of a layer or a cell without gradients, on torch's
// tensors.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bind_tensors.h"

namespace nb = nanobind;

namespace recurra {
namespace {

enum class Way { general, autograd };

// The members of the Python class Way; they live as long as the process.
PyObject* general_way = nullptr;
PyObject* autograd_way = nullptr;

using ScanArguments = std::tuple<nb::object, std::vector<nb::object>, std::vector<Sizes>, bool>;

class TensorLayers {
 public:
  virtual ~TensorLayers() = default;
  virtual nb::object run(nb::handle x, nb::handle given, nb::handle parameters, bool batch_first, bool differentiate,
                         bool has_dropout, int threads, nb::handle prepared) const = 0;
};

template <class T>
class LayersOf : public TensorLayers {
 public:
  LayersOf(const std::vector<ScanArguments>& scans, std::int64_t directions, bool is_cell)
      : directions_(directions), is_cell_(is_cell) {
    require(directions >= 1 && !scans.empty() && scans.size() % static_cast<std::size_t>(directions) == 0,
            "no scans, or not one for each direction");
    require(!is_cell || scans.size() == 1, "a cell has one scan");
    state_sizes_ = kernel_of<T>(std::get<0>(scans.front())).executor().code().states;
    require(!state_sizes_.empty(), "a kernel without states");
    for (const auto& [kernel, names, shapes, is_reverse] : scans) add(kernel, names, shapes, is_reverse);
  }

  nb::object run(nb::handle x, nb::handle given, nb::handle parameters, bool batch_first, bool differentiate,
                 bool has_dropout, int threads, nb::handle prepared) const override {
    require(PyDict_Check(parameters.ptr()), "parameters are no dict");
    Inputs in;
    if (!read_input(x, batch_first, in) || !read_states(given, in)) return nb::borrow(general_way);
    Tensors<T> tensors;
    std::vector<CallBuilder<T>> calls;
    calls.reserve(scans_.size());
    bool differs = differentiate && requires_gradient(x);
    for (const nb::handle state : in.states) differs = differs || (differentiate && requires_gradient(state));
    for (const Scan& scan : scans_) {
      calls.emplace_back(
          code_of(scan),
          Extent{.steps = in.steps, .batch = in.batch, .is_reverse = scan.is_reverse, .threads = threads});
      if (!put_parameters(scan, parameters, differentiate, tensors, calls.back(), differs))
        return nb::borrow(general_way);
    }
    if (differs) return nb::borrow(autograd_way);
    return has_dropout ? nb::borrow(general_way) : compute(in, batch_first, calls, prepared);
  }

 private:
  // One layer in one direction, or a cell.
  struct Scan {
    nb::object owner;
    const TypedKernel<T>* kernel;
    std::vector<nb::object> names;  // of the parameters
    std::vector<Sizes> shapes;
    bool is_reverse;
    std::int64_t output_size;
  };

  struct Inputs {
    View x;
    std::int64_t steps = 0, batch = 0;
    std::ptrdiff_t by_step = 0, by_row = 0;
    std::vector<nb::handle> states;  // none for zeros
    std::vector<View> firsts;
  };

  // The input or output of one layer: rows of all sequences.
  struct Side {
    T* data;
    std::ptrdiff_t by_step, by_row;
  };

  static const Code& code_of(const Scan& scan) { return scan.kernel->executor().code(); }

  void add(const nb::object& object, const std::vector<nb::object>& names, const std::vector<Sizes>& shapes,
           bool is_reverse) {
    const TypedKernel<T>& kernel = kernel_of<T>(object);
    const Code& code = kernel.executor().code();
    require(code.input_widths.size() == 1 && code.output_widths.size() == 1 && code.results.empty() && !code.opposite &&
                code.beginnings == 0 && code.states == state_sizes_,
            "a kernel of another form");
    require(has_parameters(code, shapes) && names.size() == shapes.size(), "a kernel with parameters of other shapes");
    const std::size_t count = scans_.size(), directions = static_cast<std::size_t>(directions_);
    const bool is_first = count % directions == 0;
    require(count == 0 || (is_first ? code.input_widths[0] == directions_ * scans_.back().output_size
                                    : code.input_widths == code_of(scans_.back()).input_widths &&
                                          code.output_widths[0] == scans_.back().output_size),
            "layers that do not fit each other");
    require(!is_cell_ || code.output_widths[0] == state_sizes_[0], "a cell whose output is not its first state");
    scans_.push_back({object, &kernel, names, shapes, is_reverse, code.output_widths[0]});
  }

  // Returns false if the general way has to handle x.
  bool read_input(nb::handle x, bool batch_first, Inputs& in) const {
    const View& v = in.x;
    if (!view(x, dtype_of<T>, in.x) || v.rank() != (is_cell_ ? 2 : 3) || !v.has_contiguous_features()) return false;
    const int by_step = batch_first ? 1 : 0, by_row = is_cell_ ? 0 : 1 - by_step;
    in.steps = is_cell_ ? 1 : v.size(by_step), in.batch = v.size(by_row);
    in.by_step = is_cell_ ? 0 : v.stride(by_step), in.by_row = v.stride(by_row);
    return in.steps > 0 && in.batch > 0 && v.size(v.rank() - 1) == code_of(scans_.front()).input_widths[0];
  }

  bool read_states(nb::handle given, Inputs& in) const {
    if (given.is_none()) return true;
    if (state_sizes_.size() == 1) {
      in.states.push_back(given);
    } else {
      if (!PyTuple_CheckExact(given.ptr()) || nb::len(given) != state_sizes_.size()) return false;
      for (std::size_t n = 0; n < state_sizes_.size(); ++n)
        in.states.push_back(PyTuple_GetItem(given.ptr(), static_cast<Py_ssize_t>(n)));
    }
    in.firsts.resize(in.states.size());
    for (std::size_t n = 0; n < in.states.size(); ++n) {
      View& v = in.firsts[n];
      const std::int64_t shape[] = {static_cast<std::int64_t>(scans_.size()), in.batch, state_sizes_[n]};
      if (!view(in.states[n], dtype_of<T>, v) || !v.has_shape(shape + is_cell_, is_cell_ ? 2 : 3)) return false;
      if (!v.has_contiguous_features()) return false;
    }
    return true;
  }

  bool put_parameters(const Scan& scan, nb::handle parameters, bool differentiate, Tensors<T>& tensors,
                      CallBuilder<T>& call, bool& differs) const {
    for (std::size_t n = 0; n < scan.names.size(); ++n) {
      const nb::handle tensor = PyDict_GetItemWithError(parameters.ptr(), scan.names[n].ptr());
      View v;
      if (!tensor.is_valid() || !view(tensor, dtype_of<T>, v) ||
          !v.has_shape(scan.shapes[n].data(), scan.shapes[n].size())) {
        return false;
      }
      tensors.hold(nb::borrow(tensor));
      tensors.put_parameter(call, tensor, v);
      differs = differs || (differentiate && requires_gradient(tensor));
    }
    return true;
  }

  nb::object compute(const Inputs& in, bool batch_first, std::vector<CallBuilder<T>>& calls,
                     nb::handle prepared) const {
    const std::int64_t steps = in.steps, batch = in.batch;
    std::vector<nb::object> ends, outputs;
    std::vector<T*> lasts;  // of all scans
    for (const std::int64_t size : state_sizes_) {
      const std::int64_t shape[] = {static_cast<std::int64_t>(scans_.size()), batch, size};
      const NewTensor<T> made(shape + is_cell_, is_cell_ ? 2 : 3);
      ends.push_back(made.tensor);
      lasts.push_back(made.data);
    }
    Side from = {in.x.template data<T>(), in.by_step, in.by_row};
    for (std::size_t begin = 0; begin < scans_.size(); begin += static_cast<std::size_t>(directions_)) {
      const std::int64_t size = scans_[begin].output_size, width = directions_ * size;
      Side to = {lasts.front(), 0, width};
      if (!is_cell_) {
        const bool rows_first = batch_first && begin + static_cast<std::size_t>(directions_) == scans_.size();
        const NewTensor<T> made = rows_first ? NewTensor<T>{batch, steps, width} : NewTensor<T>{steps, batch, width};
        outputs.push_back(made.tensor);
        to = {made.data, rows_first ? width : batch * width, rows_first ? steps * width : width};
      }
      for (std::int64_t d = 0; d < directions_; ++d) {
        const std::size_t number = begin + static_cast<std::size_t>(d);
        calls[number].input(from.data, from.by_step, from.by_row);
        calls[number].output(to.data + d * size, to.by_step, to.by_row);
        put_states(in, lasts, number, calls[number]);
      }
      from = to;
    }
    run_all(calls, prepared);
    const nb::object last = ends.size() == 1 ? ends.front() : tuple_of(ends);
    return is_cell_ ? last : nb::object(nb::make_tuple(outputs.back(), last));
  }

  void put_states(const Inputs& in, const std::vector<T*>& lasts, std::size_t number, CallBuilder<T>& call) const {
    const auto place = static_cast<std::ptrdiff_t>(number);
    for (std::size_t n = 0; n < state_sizes_.size(); ++n) {
      const std::int64_t size = state_sizes_[n];
      const T* first = nullptr;
      std::ptrdiff_t stride = 0;
      if (!in.firsts.empty()) {
        const View& v = in.firsts[n];
        first = v.data<const T>() + (is_cell_ ? 0 : place * v.stride(0));
        stride = v.stride(is_cell_ ? 0 : 1);
      }
      call.state(first, stride, lasts[n] + place * in.batch * size, size);
    }
  }

  void run_all(const std::vector<CallBuilder<T>>& calls, nb::handle prepared) const {
    std::vector<const Constants<T>*> constants;
    for (std::size_t n = 0; n < scans_.size(); ++n) {
      constants.push_back(prepared.is_none() ? nullptr : scans_[n].kernel->constants_of(nb::object(prepared[n])));
    }
    nb::gil_scoped_release unlocked;
    for (std::size_t n = 0; n < scans_.size(); ++n) scans_[n].kernel->executor().run(calls[n].finished(), constants[n]);
  }

  std::vector<Scan> scans_;
  Sizes state_sizes_;
  std::int64_t directions_;
  bool is_cell_;
};

TensorLayers* make(const std::vector<ScanArguments>& scans, std::int64_t directions, bool is_cell) {
  if (!scans.empty() && is_double(std::get<0>(scans.front()))) return new LayersOf<double>(scans, directions, is_cell);
  return new LayersOf<float>(scans, directions, is_cell);
}

}  // namespace

void bind_tensor_layers(nb::module_& m) {
  const nb::object way =
      nb::enum_<Way>(m, "Way", "Who has to make a call that TensorLayers does not make itself.")
          .value("general", Way::general, "Who can make every call: something is not plain.")
          .value("autograd", Way::autograd, "Autograd: all is plain, and something requires a gradient.");
  general_way = nb::object(way.attr("general")).release().ptr();
  autograd_way = nb::object(way.attr("autograd")).release().ptr();
  nb::class_<TensorLayers>(m, "TensorLayers",
                           "A layer's or a cell's call without gradients, on plain tensors of torch.")
      .def(nb::new_(&make), nb::arg("scans"), nb::arg("directions"), nb::arg("is_cell"),
           "Each scan is (kernel, names of parameters, their shapes, whether it runs backwards); layers come one\n"
           "after the other, each with a scan for each direction. Raises ValueError where these do not fit together.")
      .def("run", &TensorLayers::run, nb::arg("x"), nb::arg("given").none(), nb::arg("parameters"),
           nb::arg("batch_first"), nb::arg("differentiate"), nb::arg("has_dropout"), nb::arg("threads"),
           nb::arg("prepared").none(),
           "The layer's output and last states, or the cell's new states.\n\n"
           "Way.general where something is not plain; Way.autograd where all is plain, but `differentiate`,\n"
           "and something requires a gradient. With `has_dropout` the caller has to come between the layers: then one\n"
           "of these two.");
}

}  // namespace recurra
