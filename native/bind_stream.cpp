#include "bind_stream.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "bind_call.h"
#include "bind_kernel.h"

namespace nb = nanobind;

namespace recurra {
namespace {

using Masks = std::vector<std::pair<std::int64_t, double>>;  // the width and value of each mask
// Kernel, prepared weights, masks, width of the input.
using ScanArguments = std::tuple<nb::object, nb::object, Masks, std::int64_t>;

// Python's buffer of an object, which the destructor releases.
class Buffer {
 public:
  bool get(nb::handle object, int flags) { return held_ = PyObject_GetBuffer(object.ptr(), &view, flags) == 0; }
  ~Buffer() {
    if (held_) PyBuffer_Release(&view);
  }
  Py_buffer view{};

 private:
  bool held_ = false;
};

std::string shape_text(const Py_buffer& view) {
  std::string text = "(";
  for (int d = 0; d < view.ndim; ++d) text += (d ? ", " : "") + std::to_string(view.shape[d]);
  return text + (view.ndim == 1 ? ",)" : ")");
}

class AnyStream {
 public:
  virtual ~AnyStream() = default;
  virtual nb::object step(nb::handle x) = 0;
  virtual std::vector<nb::object> states() const = 0;
  virtual void set_states(const std::vector<nb::object>& given) = 0;
  virtual void reset(const std::vector<std::int64_t>& rows) = 0;
};

// Held while a stream is in use, as a step may let other Python threads run.
class Use {
 public:
  explicit Use(std::atomic_flag& busy) : busy_(busy) {
    if (busy_.test_and_set()) throw std::runtime_error("another thread is using this stream");
  }
  ~Use() { busy_.clear(); }

 private:
  std::atomic_flag& busy_;
};

// A step of more multiply-adds than this releases the GIL: other Python threads would wait too long.
constexpr double long_step = 200000;

template <class T>
class StreamOf : public AnyStream {
 public:
  StreamOf(const std::vector<ScanArguments>& scans, nb::object table, std::int64_t batch, int threads,
           nb::object numpy_empty, nb::object dtype)
      : table_(std::move(table)), numpy_empty_(std::move(numpy_empty)), dtype_(std::move(dtype)), batch_(batch) {
    if (scans.empty() || batch < 1) throw std::invalid_argument("a stream needs a scan and a sequence");
    if (!table_.is_none()) read_table();
    for (const auto& [kernel, prepared, masks, input] : scans) add(kernel, prepared, masks, input, threads);
    rows_shape_ = nb::make_tuple(batch, width());
    one_shape_ = nb::make_tuple(width());
  }

  nb::object step(nb::handle x) override {
    const Use use(busy_);
    const bool one = table_.is_none() ? read_numbers(x) : read_ids(x);
    // Allocated before the run, so that a failure leaves the states unchanged.
    nb::object output = numpy_empty_(one ? one_shape_ : rows_shape_, dtype_);
    Buffer out;
    if (!out.get(output, PyBUF_WRITABLE)) throw nb::python_error();
    if (work_ >= long_step) {
      nb::gil_scoped_release unlocked;
      run();
    } else {
      run();
    }
    const Output& last = scans_.back()->output;
    std::memcpy(out.view.buf, last.data(), last.size() * sizeof(T));
    return output;
  }

  std::vector<nb::object> states() const override {
    const Use use(busy_);
    std::vector<nb::object> found;
    for (const auto& scan : scans_) {
      for (std::size_t n = 0; n < scan->states.size(); ++n) {
        nb::object array = numpy_empty_(nb::make_tuple(batch_, scan->widths[n]), dtype_);
        Buffer out;
        if (!out.get(array, PyBUF_WRITABLE)) throw nb::python_error();
        std::memcpy(out.view.buf, scan->states[n].data(), scan->states[n].size() * sizeof(T));
        found.push_back(array);
      }
    }
    return found;
  }

  void set_states(const std::vector<nb::object>& given) override {
    const Use use(busy_);
    std::vector<std::vector<T>*> places;
    for (auto& scan : scans_) {
      for (auto& state : scan->states) places.push_back(&state);
    }
    if (given.size() != places.size()) throw std::invalid_argument("not as many states as there are");
    std::vector<Buffer> buffers(given.size());
    for (std::size_t n = 0; n < given.size(); ++n) {
      if (!buffers[n].get(given[n], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) throw nb::python_error();
      if (!is_real(buffers[n].view) || buffers[n].view.len != static_cast<Py_ssize_t>(places[n]->size() * sizeof(T))) {
        throw std::invalid_argument("a state of another size or dtype");
      }
    }
    for (std::size_t n = 0; n < given.size(); ++n) {
      std::memcpy(places[n]->data(), buffers[n].view.buf, places[n]->size() * sizeof(T));
    }
  }

  void reset(const std::vector<std::int64_t>& rows) override {
    const Use use(busy_);
    for (const std::int64_t row : rows) {
      if (row < 0 || row >= batch_) throw std::invalid_argument("a row out of range");
    }
    for (auto& scan : scans_) {
      for (std::size_t n = 0; n < scan->states.size(); ++n) {
        for (const std::int64_t row : rows)
          std::fill_n(scan->states[n].data() + row * scan->widths[n], scan->widths[n], T(0));
      }
    }
  }

 private:
  using Output = std::vector<T>;

  struct Scan {
    nb::object kernel, prepared;  // kept alive
    std::vector<std::int64_t> widths;
    std::vector<std::vector<T>> states, masks;
    Output output;
    std::unique_ptr<Repeated<T>> call;
  };

  std::int64_t width() const { return static_cast<std::int64_t>(scans_.back()->output.size()) / batch_; }

  void add(nb::object kernel, nb::object prepared, const Masks& masks, std::int64_t input, int threads) {
    const auto* typed = dynamic_cast<const TypedKernel<T>*>(nb::cast<const AnyKernel*>(kernel));
    if (typed == nullptr || prepared.is_none())
      throw std::invalid_argument("a kernel of another dtype, or weights not prepared");
    const Code& code = typed->executor().code();
    const Constants<T>* constants = typed->constants_of(prepared);
    const std::int64_t before = scans_.empty() ? (table_.is_none() ? input : table_width_) : width();
    bool fits = before == input && code.input_widths.size() == 1 + masks.size() && code.input_widths[0] == input &&
                code.output_widths.size() == 1 && code.results.empty() && !code.opposite && code.beginnings == 0;
    for (std::size_t n = 0; fits && n < masks.size(); ++n) fits = code.input_widths[n + 1] == masks[n].first;
    for (const auto* stage : {&code.before, &code.step, &code.after}) {
      for (const Instruction& i : *stage) {
        fits = fits && (i.kind != Kind::product || constants->packed[i.k].panels != nullptr);
      }
    }
    if (!fits) throw std::invalid_argument("a kernel of other sizes");
    if (scans_.empty()) input_.assign(static_cast<std::size_t>(batch_ * input), T(0));
    auto scan = std::make_unique<Scan>();
    scan->kernel = kernel, scan->prepared = prepared, scan->widths = code.states;
    scan->output.assign(static_cast<std::size_t>(batch_ * code.output_widths[0]), T(0));
    CallBuilder<T> call(code, {.steps = 1, .batch = batch_, .threads = threads});
    call.input(scans_.empty() ? input_.data() : scans_.back()->output.data(), batch_ * input, input);
    for (const auto& [mask_width, value] : masks) {
      scan->masks.emplace_back(static_cast<std::size_t>(batch_ * mask_width), static_cast<T>(value));
      call.input(scan->masks.back().data(), batch_ * mask_width, mask_width);
    }
    call.output(scan->output.data(), batch_ * code.output_widths[0], code.output_widths[0]);
    for (const std::int64_t state : code.states) {
      scan->states.emplace_back(static_cast<std::size_t>(batch_ * state), T(0));
      call.state(scan->states.back().data(), state, scan->states.back().data(), state);
    }
    for (const Matrix& m : code.matrices) {
      for (const MatrixPart& part : m.parts) work_ += static_cast<double>(m.k * part.width * batch_);
    }
    scan->call = std::make_unique<Repeated<T>>(typed->executor(), call.finished(true), *constants);
    scans_.push_back(std::move(scan));
  }

  void run() {
    for (auto& scan : scans_) scan->call->run();
  }

  static bool is_real(const Py_buffer& view) {
    const char* format = view.format;
    if (format == nullptr) return false;
    if (*format == '<' || *format == '=' || *format == '@') ++format;
    return view.itemsize == sizeof(T) && format[0] == (sizeof(T) == 4 ? 'f' : 'd') && format[1] == 0;
  }

  // Copies x, (batch, input), or (input,) for a batch of one. Returns whether it was the latter.
  bool read_numbers(nb::handle x) {
    Buffer in;
    if (!in.get(x, PyBUF_STRIDED_RO | PyBUF_FORMAT)) throw nb::python_error();
    const Py_buffer& v = in.view;
    const std::int64_t features = static_cast<std::int64_t>(input_.size()) / batch_;
    const bool one = v.ndim == 1 && batch_ == 1;
    if (!(one || (v.ndim == 2 && v.shape[0] == batch_)) || v.shape[v.ndim - 1] != features) {
      throw nb::value_error(("a step's input must be (batch=" + std::to_string(batch_) +
                             ", input_size=" + std::to_string(features) + ")" +
                             (batch_ == 1 ? " or (" + std::to_string(features) + ",)" : "") + "; got " + shape_text(v))
                                .c_str());
    }
    if (!is_real(v))
      throw nb::value_error(sizeof(T) == 4 ? "a step's input must be float32" : "a step's input must be float64");
    if (features == 0) return one;
    const Py_ssize_t by_row = one ? 0 : v.strides[0], by_feature = v.strides[v.ndim - 1];
    for (std::int64_t b = 0; b < batch_; ++b) {
      const char* from = static_cast<const char*>(v.buf) + b * by_row;
      T* to = input_.data() + b * features;
      if (by_feature == static_cast<Py_ssize_t>(sizeof(T)) || features <= 1) {
        std::memcpy(to, from, static_cast<std::size_t>(features) * sizeof(T));
      } else {
        for (std::int64_t k = 0; k < features; ++k) std::memcpy(to + k, from + k * by_feature, sizeof(T));
      }
    }
    return one;
  }

  // Looks up tokens, (batch,), in the table; for a batch of one, x may be a single token. Returns whether it was.
  bool read_ids(nb::handle x) {
    if (PyLong_Check(x.ptr()) && batch_ == 1) {
      const long long id = PyLong_AsLongLong(x.ptr());
      if (PyErr_Occurred()) {
        PyErr_Clear();
        throw nb::index_error("there is no token of so large a number");
      }
      look_up(0, id);
      return true;
    }
    const std::string batch = std::to_string(batch_);
    if (PyLong_Check(x.ptr()))
      throw nb::value_error(("a step's input must be (batch=" + batch + ") numbers of tokens; got one").c_str());
    Buffer in;
    if (!in.get(x, PyBUF_STRIDED_RO | PyBUF_FORMAT)) throw nb::python_error();
    const Py_buffer& v = in.view;
    const bool one = v.ndim == 0 && batch_ == 1;
    if (!one && (v.ndim != 1 || v.shape[0] != batch_)) {
      throw nb::value_error(
          ("a step's input must be (batch=" + batch + ") numbers of tokens; got " + shape_text(v)).c_str());
    }
    const char* format = v.format == nullptr ? "" : v.format;
    if (*format == '<' || *format == '=' || *format == '@') ++format;
    const bool is_whole = format[0] != 0 && format[1] == 0 && std::strchr("bhilq", format[0]) != nullptr;
    if (!is_whole || (v.itemsize != 4 && v.itemsize != 8))
      throw nb::value_error("numbers of tokens must be int64 or int32");
    for (std::int64_t b = 0; b < batch_; ++b) {
      const char* from = static_cast<const char*>(v.buf) + (one ? 0 : b * v.strides[0]);
      std::int64_t id = 0;
      if (v.itemsize == 8) {
        std::memcpy(&id, from, 8);
      } else {
        std::int32_t narrow;
        std::memcpy(&narrow, from, 4);
        id = narrow;
      }
      look_up(b, id);
    }
    return one;
  }

  void look_up(std::int64_t b, std::int64_t id) {
    if (id < 0 || id >= table_rows_) {
      throw nb::index_error(
          ("token " + std::to_string(id) + " is not one of 0 … " + std::to_string(table_rows_ - 1)).c_str());
    }
    std::memcpy(input_.data() + b * table_width_, table_data_ + id * table_width_,
                static_cast<std::size_t>(table_width_) * sizeof(T));
  }

  void read_table() {
    if (!table_buffer_.get(table_, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) throw nb::python_error();
    const Py_buffer& v = table_buffer_.view;
    if (v.ndim != 2 || !is_real(v))
      throw std::invalid_argument("a table must be (tokens, features) of the scans' dtype");
    table_rows_ = v.shape[0], table_width_ = v.shape[1];
    table_data_ = static_cast<const T*>(v.buf);
  }

  nb::object table_, numpy_empty_, dtype_, rows_shape_, one_shape_;
  Buffer table_buffer_;
  const T* table_data_ = nullptr;
  std::int64_t table_rows_ = 0, table_width_ = 0;
  std::int64_t batch_;
  double work_ = 0;
  std::vector<T> input_;
  std::vector<std::unique_ptr<Scan>> scans_;
  mutable std::atomic_flag busy_;
};

AnyStream* make(const std::vector<ScanArguments>& scans, nb::object table, std::int64_t batch, int threads,
                bool is_double, nb::object numpy_empty, nb::object dtype) {
  if (is_double) return new StreamOf<double>(scans, table, batch, threads, numpy_empty, dtype);
  return new StreamOf<float>(scans, table, batch, threads, numpy_empty, dtype);
}

}  // namespace

void bind_stream(nb::module_& m) {
  nb::class_<AnyStream>(m, "Stream", "Scans one after the other, one step at a time, with their states inside.")
      .def(
          "step", &AnyStream::step, nb::arg("x"),
          "One step of all sequences: (batch, input), or tokens (batch,) where there is a table; the output is new.\n\n"
          "Raises ValueError or IndexError where x is not such, and RuntimeError where another thread is at it.")
      .def("states", &AnyStream::states, "A copy of each state of each scan, (batch, size).")
      .def("set_states", &AnyStream::set_states, nb::arg("states"), "Takes the numbers of what states() gave.")
      .def("reset", &AnyStream::reset, nb::arg("rows"), "Zeros the states of these sequences.");
  m.def("stream", &make, nb::arg("scans"), nb::arg("table").none(), nb::arg("batch"), nb::arg("threads"),
        nb::arg("is_double"), nb::arg("empty"), nb::arg("dtype"), nb::rv_policy::take_ownership,
        "A stream of scans, each (kernel, prepared weights, width and value of each mask, features of its input).\n\n"
        "`table` is looked up first: (tokens, features), or None. `empty` and `dtype` make arrays: numpy's.\n"
        "Raises ValueError where these do not fit together.");
}

}  // namespace recurra
