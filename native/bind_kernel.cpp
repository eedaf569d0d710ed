#include "bind_kernel.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "bind_call.h"
#include "dispatch.h"

namespace nb = nanobind;

namespace recurra {

const Kernels& kernels_of(const std::string& isa) {
  if (isa.empty()) return active_kernels();
  for (const Kernels* k : supported_kernels()) {
    if (isa == k->name) return *k;
  }
  throw std::invalid_argument("this machine does not run the instruction set '" + isa + "'");
}

namespace {

using Words = AnyKernel::Words;

// Reads the addresses and strides of one call, in the order in which Python passes them.
struct Places {
  const Words& words;
  std::size_t at = 0;

  std::int64_t next() {
    if (at >= words.size()) throw std::invalid_argument("too few addresses and strides");
    return words[at++];
  }

  template <class P>
  P address() {
    return reinterpret_cast<P>(static_cast<std::intptr_t>(next()));
  }

  void end() const {
    if (at != words.size()) throw std::invalid_argument("too many addresses and strides");
  }
};

Extent extent(Places& places) {
  Extent e{places.next(), places.next()};
  e.batch_sizes = places.address<const std::int64_t*>();
  e.is_reverse = places.next() != 0;
  e.reset = places.address<const bool*>();
  e.threads = static_cast<int>(places.next());
  return e;
}

std::atomic<std::uint64_t> kernels_made{0};

}  // namespace

template <class T>
TypedKernel<T>::TypedKernel(Code code, const Routines<T>& routines)
    : executor_(std::move(code), routines), number_(++kernels_made) {}

// words: steps, batch, address of batch sizes (0: dense), reverse, address of reset (0: nowhere), threads; then
// - for each parameter: address, two strides;
// - for each input, then for each output: address, stride of steps, stride of rows;
// - for each state: address and stride of the first value (address 0: zeros), then of the last (0: not wanted);
// - the number of first states that `previous` instructions read; for each: address, stride;
// - for each constant result: address.
template <class T>
Call<T> TypedKernel<T>::call_of(const Words& words) const {
  const Code& code = executor_.code();
  Places places{words};
  CallBuilder<T> call(code, extent(places));
  // Passes on the next address and two strides.
  const auto next = [&](auto put) {
    T* data = places.address<T*>();
    const std::int64_t first = places.next();
    put(data, first, places.next());
  };
  for (std::int64_t n = 0; n < code.parameters; ++n)
    next([&](T* data, auto row, auto column) { call.parameter(data, row, column); });
  for (std::int64_t n = 0; n < code.inputs; ++n)
    next([&](T* data, auto step, auto row) { call.input(data, step, row); });
  for (std::int64_t n = 0; n < code.outputs; ++n)
    next([&](T* data, auto step, auto row) { call.output(data, step, row); });
  for (std::size_t n = 0; n < code.states.size(); ++n) {
    const T* first = places.address<const T*>();
    const std::int64_t first_stride = places.next();
    T* last = places.address<T*>();
    call.state(first, first_stride, last, places.next());
  }
  for (std::int64_t n = places.next(); n > 0; --n) {
    const T* data = places.address<const T*>();
    call.beginning(data, places.next());
  }
  for (std::size_t n = 0; n < code.results.size(); ++n) call.result(places.address<T*>());
  places.end();
  return call.finished();
}

template <class T>
void TypedKernel<T>::run(const Words& words, const nb::object& prepared) const {
  const Call<T> made = call_of(words);
  const Constants<T>* constants = constants_of(prepared);
  nb::gil_scoped_release unlocked;
  executor_.run(made, constants);
}

template <class T>
nb::object TypedKernel<T>::prepare(const Words& words, bool compact) const {
  const Code& code = executor_.code();
  Places places{words};
  std::vector<Fixed<const T>> parameters;
  for (std::size_t n = 0; n < code.parameter_rows.size(); ++n) {
    const T* data = places.address<const T*>();
    const std::int64_t row_stride = places.next();
    parameters.push_back(parameter_at(code, n, data, row_stride, places.next()));
  }
  places.end();
  return nb::cast(Prepared<T>{number_, executor_.prepare(parameters, compact)}, nb::rv_policy::move);
}

template <class T>
const Constants<T>* TypedKernel<T>::constants_of(const nb::object& prepared) const {
  if (prepared.is_none()) return nullptr;
  const auto& kept = nb::cast<const Prepared<T>&>(prepared);
  if (kept.owner != number_) throw std::invalid_argument("the weights were prepared for another kernel");
  if (!executor_.code().sums.empty()) throw std::invalid_argument("a backward pass takes no prepared weights");
  return kept.constants.get();
}

template class TypedKernel<float>;
template class TypedKernel<double>;

namespace {

const Routines<float>& routines_of(const Kernels& kernels, const std::string& products) {
  if (products == "float32") return kernels.f32;
  if (products == "bfloat16") return kernels.bf16;
  if (products == "int8") return kernels.int8;
  if (products == "uint8") return kernels.uint8;
  throw std::invalid_argument("there are no products of '" + products + "'");
}

// The caller owns the kernel.
AnyKernel* make(const Words& words, const std::vector<double>& literals, bool is_double, const std::string& isa,
                const std::string& products) {
  const Kernels& kernels = kernels_of(isa);
  if (is_double && products != "float32") throw std::invalid_argument("float64 is not rounded to " + products);
  if (is_double) return new TypedKernel<double>(decode(words, literals, kernels.f64.lanes), kernels.f64);
  const Routines<float>& routines = routines_of(kernels, products);
  return new TypedKernel<float>(decode(words, literals, routines.lanes), routines);
}

}  // namespace

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (std::size_t op = 0; op < static_cast<std::size_t>(Op::count); ++op) {
    names.emplace_back(facts_of(static_cast<Op>(op)).name);
  }
  return names;
}

void bind_code(nb::module_& m) {
  nb::enum_<Space>(m, "Space", nb::is_arithmetic(), "Where the elements of a value lie (native/code.h).")
      .value("CONSTANT", Space::constant)
      .value("CHUNK", Space::chunk)
      .value("STEP", Space::step)
      .value("STATE", Space::state)
      .value("NEXT", Space::next)
      .value("PARAMETER", Space::parameter)
      .value("INPUT", Space::input)
      .value("OUTPUT", Space::output)
      .value("BLOCK", Space::block)
      .value("LITERAL", Space::literal);
  nb::enum_<Kind>(m, "Instruction", nb::is_arithmetic(), "Kinds of instructions (native/code.h).")
      .value("ELEMENTWISE", Kind::elementwise)
      .value("PRODUCT", Kind::product)
      .value("REDUCE", Kind::reduce)
      .value("CUMULATE", Kind::cumulate)
      .value("MOVE", Kind::move)
      .value("OUTER", Kind::outer)
      .value("ROWS_SUM", Kind::rows_sum)
      .value("GATHER", Kind::gather)
      .value("EYE", Kind::eye)
      .value("TOTAL", Kind::total)
      .value("PREVIOUS", Kind::previous);
  m.def("operations", &operation_names,
        "The elementwise operations that kernels know, in order of their numbers in code.");
}

void bind_kernel(nb::module_& m) {
  nb::class_<Prepared<float>>(m, "PreparedFloat32", "Weights packed for one kernel.")
      .def_prop_ro("nbytes", &Prepared<float>::bytes, "The memory that they take.");
  nb::class_<Prepared<double>>(m, "PreparedFloat64", "Weights packed for one kernel.")
      .def_prop_ro("nbytes", &Prepared<double>::bytes, "The memory that they take.");
  nb::class_<AnyKernel>(m, "Kernel", "Code made executable for one dtype on one instruction set.")
      .def("run", &AnyKernel::run, nb::arg("words"), nb::arg("prepared").none(),
           "Run over sequences; `words` are the addresses and strides of every array (engines/native/kernel.py).\n\n"
           "Raises ValueError where they are too few or too many, or an array has no memory.")
      .def("prepare", &AnyKernel::prepare, nb::arg("words"), nb::arg("compact") = false,
           "The weights packed, to keep between calls. Matrices whose numbers bfloat16 or int8 holds exactly are kept\n"
           "so where that makes calls faster; where `compact`, wherever it takes less memory. Results are the same.");
  m.def(
      "kernel", &make, nb::arg("words"), nb::arg("literals"), nb::arg("is_double"), nb::arg("isa") = "",
      nb::arg("products") = "float32", nb::rv_policy::take_ownership,
      "The kernel of lowered code (engines/native/lower.py). `products` says what operands of products are rounded\n"
      "to: 'float32' leaves them as they are, 'bfloat16' rounds them and adds up in float32, 'int8' rounds them to "
      "whole\n"
      "numbers, each row and each column with a scale of its own, 'uint8' rounds rows to whole numbers from 0 to 255\n"
      "by their range, beside columns of whole numbers from -127 to 127.\n\n"
      "Raises ValueError where the words are no code, there are no such products, this machine does not run `isa`,\n"
      "or float64 is to be rounded.");
}

}  // namespace recurra
