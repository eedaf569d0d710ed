#include "bind_inference.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "bind_kernel.h"
#include "torch_tensors.h"

namespace nb = nanobind;

namespace recurra {
namespace {

using Sizes = std::vector<std::int64_t>;

// One layer in one direction, or a cell.
struct Scan {
  nb::object kernel;
  std::vector<nb::object> names;
  std::vector<Sizes> shapes;  // of the parameters
  bool is_reverse;
  std::int64_t input_size, output_size;
};

using ScanArguments = std::tuple<nb::object, std::vector<nb::object>, std::vector<Sizes>, bool, std::int64_t, std::int64_t>;

// Where one layer reads and writes: rows of all sequences.
template <class T>
struct Side {
  T* data;
  std::int64_t by_step, by_row;
};

class Inference {
 public:
  Inference(const std::vector<ScanArguments>& scans, Sizes state_sizes, int directions, bool is_cell, bool is_double)
      : state_sizes_(std::move(state_sizes)), directions_(directions), is_cell_(is_cell), is_double_(is_double) {
    for (const auto& [kernel, names, shapes, is_reverse, input_size, output_size] : scans) {
      scans_.push_back({kernel, names, shapes, is_reverse, input_size, output_size});
      const bool fits = is_double ? check<double>(scans_.back()) : check<float>(scans_.back());
      if (!fits) throw std::invalid_argument("a kernel of other shapes");
    }
    if (scans_.empty() || directions < 1 || scans_.size() % static_cast<std::size_t>(directions) != 0) {
      throw std::invalid_argument("no scans, or not one for each direction");
    }
    if (is_cell && scans_.size() != 1) throw std::invalid_argument("a cell has one scan");
    std::int64_t before = scans_.front().input_size;  // features that the layer at hand takes
    for (std::size_t n = 0; n < scans_.size(); ++n) {
      const std::size_t first = n / static_cast<std::size_t>(directions) * static_cast<std::size_t>(directions);
      if (n == first && n > 0) before = directions * scans_[n - 1].output_size;
      if (scans_[n].input_size != before || scans_[n].output_size != scans_[first].output_size) {
        throw std::invalid_argument("layers that do not fit each other");
      }
    }
  }

  nb::object run(nb::handle x, nb::handle given, nb::handle parameters, bool batch_first, bool differentiate, int threads,
                 nb::handle prepared) const {
    if (!PyDict_Check(parameters.ptr())) throw std::invalid_argument("parameters are no dict");
    return is_double_ ? run_as<double>(x, given, parameters, batch_first, differentiate, threads, prepared)
                      : run_as<float>(x, given, parameters, batch_first, differentiate, threads, prepared);
  }

 private:
  template <class T>
  static const TypedKernel<T>& kernel_of(const Scan& scan) {
    const auto* kernel = dynamic_cast<const TypedKernel<T>*>(nb::cast<const AnyKernel*>(scan.kernel));
    if (kernel == nullptr) throw std::invalid_argument("a kernel of another dtype");
    return *kernel;
  }

  template <class T>
  bool check(const Scan& scan) const {
    const Code& code = kernel_of<T>(scan).executor().code();
    bool fits = code.states == state_sizes_ && code.input_widths == Sizes{scan.input_size} && code.results.empty() &&
                code.output_widths == Sizes{scan.output_size} && !code.opposite && code.beginnings == 0 &&
                scan.names.size() == scan.shapes.size() && code.parameter_rows.size() == scan.shapes.size();
    for (std::size_t n = 0; fits && n < scan.shapes.size(); ++n) {
      const Sizes& shape = scan.shapes[n];
      const std::int64_t rows = shape.size() == 2 ? shape[0] : 1, width = shape.empty() ? 1 : shape.back();
      fits = shape.size() <= 2 && code.parameter_rows[n] == rows && code.parameter_widths[n] == width;
    }
    return fits;
  }

  static nb::object the_general_way() { return nb::none(); }
  static nb::object through_autograd() { return nb::borrow(Py_NotImplemented); }

  // What is plain about x; false where the general way has to see to it.
  bool read_input(nb::handle x, bool batch_first, View& found, std::int64_t& steps, std::int64_t& batch) const {
    if (!view(x, is_double_, found) || found.rank() != (is_cell_ ? 2 : 3) || !found.is_even()) return false;
    const int by_step = batch_first ? 1 : 0;
    steps = is_cell_ ? 1 : found.size(by_step);
    batch = is_cell_ ? found.size(0) : found.size(1 - by_step);
    return steps > 0 && batch > 0 && found.size(found.rank() - 1) == scans_.front().input_size;
  }

  // The states' tensors, as many as there are; none for zeros.
  bool read_states(nb::handle given, std::int64_t batch, std::vector<nb::handle>& tensors, std::vector<View>& found) const {
    if (given.is_none()) return true;
    if (state_sizes_.size() == 1) {
      tensors.push_back(given);
    } else {
      if (!PyTuple_CheckExact(given.ptr()) || nb::len(given) != state_sizes_.size()) return false;
      for (std::size_t n = 0; n < state_sizes_.size(); ++n) tensors.push_back(PyTuple_GetItem(given.ptr(), static_cast<Py_ssize_t>(n)));
    }
    found.resize(tensors.size());
    for (std::size_t n = 0; n < tensors.size(); ++n) {
      const std::int64_t shape[] = {static_cast<std::int64_t>(scans_.size()), batch, state_sizes_[n]};
      if (!view(tensors[n], is_double_, found[n]) || !found[n].has_shape(shape + is_cell_, is_cell_ ? 2 : 3)) return false;
      if (!found[n].is_even()) return false;
    }
    return true;
  }

  template <class T>
  bool read_parameters(const Scan& scan, nb::handle parameters, std::vector<nb::object>& held,
                       std::vector<Fixed<const T>>& found) const {
    for (std::size_t n = 0; n < scan.names.size(); ++n) {
      const nb::handle tensor = PyDict_GetItemWithError(parameters.ptr(), scan.names[n].ptr());
      View v;
      if (!tensor.is_valid() || !view(tensor, is_double_, v) || !v.has_shape(scan.shapes[n].data(), scan.shapes[n].size())) {
        return false;
      }
      held.push_back(nb::borrow(tensor));
      const int rank = v.rank();
      found.push_back({v.data<const T>(), rank > 1 ? v.stride(0) : 0, rank > 0 ? v.stride(rank - 1) : 0});
    }
    return true;
  }

  template <class T>
  nb::object run_as(nb::handle x, nb::handle given, nb::handle parameters, bool batch_first, bool differentiate,
                    int threads, nb::handle prepared) const {
    View in;
    std::int64_t steps = 0, batch = 0;
    std::vector<nb::handle> states;
    std::vector<View> firsts;
    std::vector<nb::object> held;
    std::vector<Call<T>> calls(scans_.size());
    if (!read_input(x, batch_first, in, steps, batch) || !read_states(given, batch, states, firsts)) return the_general_way();
    for (std::size_t n = 0; n < scans_.size(); ++n) {
      if (!read_parameters<T>(scans_[n], parameters, held, calls[n].parameters)) return the_general_way();
    }
    if (differentiate) {
      bool needed = requires_gradient(x);
      for (const nb::handle state : states) needed = needed || requires_gradient(state);
      for (const nb::object& parameter : held) needed = needed || requires_gradient(parameter);
      if (needed) return through_autograd();
    }
    std::vector<nb::object> lasts;
    std::vector<T*> last_data;
    for (const std::int64_t size : state_sizes_) {
      const std::int64_t shape[] = {static_cast<std::int64_t>(scans_.size()), batch, size};
      lasts.push_back(empty(shape + is_cell_, is_cell_ ? 2 : 3, is_double_));
      last_data.push_back(view(lasts.back(), is_double_).template data<T>());
    }
    Side<T> from = {in.data<T>(), is_cell_ ? 0 : in.stride(batch_first ? 1 : 0), in.stride(is_cell_ || batch_first ? 0 : 1)};
    nb::object output;
    std::vector<nb::object> between;  // outputs of layers that other layers read
    for (std::size_t begin = 0; begin < scans_.size(); begin += static_cast<std::size_t>(directions_)) {
      const std::int64_t width = directions_ * scans_[begin].output_size;
      const bool is_last = begin + static_cast<std::size_t>(directions_) == scans_.size();
      Side<T> to = {last_data[0], 0, width};
      if (!is_cell_) {
        const bool rows_first = batch_first && is_last;
        output = rows_first ? empty({batch, steps, width}, is_double_) : empty({steps, batch, width}, is_double_);
        to = {view(output, is_double_).template data<T>(), rows_first ? width : batch * width, rows_first ? steps * width : width};
        if (!is_last) between.push_back(output);
      }
      for (std::int64_t d = 0; d < directions_; ++d) {
        const std::size_t number = begin + static_cast<std::size_t>(d);
        const Scan& scan = scans_[number];
        Call<T>& call = calls[number];
        call.steps = steps, call.batch = batch, call.threads = threads, call.reverse = scan.is_reverse;
        // One row of a step: its stride lets several steps count as one run of rows.
        call.inputs = {{from.data, from.by_step, batch == 1 ? from.by_step : from.by_row}};
        call.outputs = {{to.data + d * scan.output_size, to.by_step, batch == 1 ? to.by_step : to.by_row}};
        for (std::size_t n = 0; n < state_sizes_.size(); ++n) {
          const std::int64_t size = state_sizes_[n], place = static_cast<std::int64_t>(number);
          if (firsts.empty()) call.first.push_back({nullptr, 0});
          else if (is_cell_) call.first.push_back({firsts[n].data<const T>(), firsts[n].stride(0)});
          else call.first.push_back({firsts[n].data<const T>() + place * firsts[n].stride(0), firsts[n].stride(1)});
          call.last.push_back({last_data[n] + place * batch * size, size});
        }
      }
      from = to;
    }
    run_all(calls, prepared);
    const nb::object ends = lasts.size() == 1 ? lasts.front() : nb::object(nb::steal(tuple_of(lasts)));
    return is_cell_ ? ends : nb::object(nb::make_tuple(output, ends));
  }

  template <class T>
  void run_all(const std::vector<Call<T>>& calls, nb::handle prepared) const {
    std::vector<const Executor<T>*> executors;
    std::vector<const Constants<T>*> constants;
    for (std::size_t n = 0; n < scans_.size(); ++n) {
      const TypedKernel<T>& kernel = kernel_of<T>(scans_[n]);
      executors.push_back(&kernel.executor());
      constants.push_back(prepared.is_none() ? nullptr : kernel.constants_of(nb::object(prepared[n])));
    }
    nb::gil_scoped_release unlocked;
    for (std::size_t n = 0; n < scans_.size(); ++n) executors[n]->run(calls[n], constants[n]);
  }

  static PyObject* tuple_of(const std::vector<nb::object>& values) {
    PyObject* made = PyTuple_New(static_cast<Py_ssize_t>(values.size()));
    for (std::size_t n = 0; n < values.size(); ++n) PyTuple_SetItem(made, static_cast<Py_ssize_t>(n), values[n].inc_ref().ptr());
    return made;
  }

  std::vector<Scan> scans_;
  Sizes state_sizes_;
  std::int64_t directions_;
  bool is_cell_, is_double_;
};

}  // namespace

void bind_inference(nb::module_& m) {
  nb::class_<Inference>(m, "Inference", "A layer's or a cell's call without gradients, on plain tensors of torch.")
      .def(nb::init<const std::vector<ScanArguments>&, Sizes, int, bool, bool>(), nb::arg("scans"), nb::arg("state_sizes"),
           nb::arg("directions"), nb::arg("is_cell"), nb::arg("is_double"),
           "Each scan is (kernel, names of parameters, their shapes, whether it runs backwards, features of its input, of its\n"
           "output). Raises ValueError where a kernel has other shapes.")
      .def("run", &Inference::run, nb::arg("x"), nb::arg("given").none(), nb::arg("parameters"), nb::arg("batch_first"),
           nb::arg("differentiate"), nb::arg("threads"), nb::arg("prepared").none(),
           "The layer's output and last states, or the cell's new states.\n\n"
           "None where something is not plain, and the general way has to see to it; NotImplemented where all is plain, but\n"
           "`differentiate`, and something requires a gradient.");
}

}  // namespace recurra
