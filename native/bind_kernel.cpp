#include "bind_kernel.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "dispatch.h"

namespace nb = nanobind;

namespace recurra {
namespace {

using Words = AnyKernel::Words;

const Kernels& kernels_of(const std::string& isa) {
  if (isa.empty()) return active_kernels();
  for (const Kernels* k : supported_kernels()) {
    if (isa == k->name) return *k;
  }
  throw std::invalid_argument("this machine does not run the instruction set '" + isa + "'");
}

// Addresses and strides of one call, one after the other, as Python hands them over.
struct Places {
  const Words& words;
  std::size_t at = 0;

  std::int64_t next() {
    if (at >= words.size()) throw std::invalid_argument("too few addresses and strides");
    return words[at++];
  }

  template <class P>
  P address(bool needed) {
    const std::int64_t word = next();
    if (word == 0 && needed) throw std::invalid_argument("an array has no memory");
    return reinterpret_cast<P>(static_cast<std::intptr_t>(word));
  }
};

template <class T>
std::vector<Fixed<const T>> fixed(Places& places, const Code& code) {
  std::vector<Fixed<const T>> list;
  for (std::int64_t p = 0; p < code.parameters; ++p) {
    const T* data = places.address<const T*>(code.parameter_rows[p] * code.parameter_widths[p] > 0);
    const std::int64_t rows = places.next(), columns = places.next();
    list.push_back({data, rows, columns});
  }
  return list;
}

std::atomic<std::uint64_t> kernels_made{0};

}  // namespace

template <class T>
TypedKernel<T>::TypedKernel(Code code, const Routines<T>& routines)
    : executor_(std::move(code), routines), number_(++kernels_made) {}

// words: steps, batch, address of batch sizes (0: dense), reverse, address of reset (0: nowhere), threads; then for
// each parameter address and two strides; each input and each output: address, stride of steps, stride of rows; for
// each state the first and then the last value: address, stride (address 0: zeros; not wanted); what `previous` begins with:
// address, stride; for each constant result its address.
template <class T>
void TypedKernel<T>::run(const Words& words, const nb::object& prepared) const {
  const Code& code = executor_.code();
  Places places{words};
  Call<T> call;
  call.steps = places.next();
  call.batch = places.next();
  call.batch_sizes = places.address<const std::int64_t*>(false);
  call.reverse = places.next() != 0;
  call.reset = places.address<const bool*>(false);
  call.threads = static_cast<int>(places.next());
  if (call.steps < 0 || call.batch < 0) throw std::invalid_argument("a negative number of steps or sequences");
  if (call.batch_sizes != nullptr) {
    std::int64_t before = call.batch;
    for (std::int64_t t = 0; t < call.steps; ++t) {
      if (call.batch_sizes[t] < 0 || call.batch_sizes[t] > before) {
        throw std::invalid_argument("batch sizes must not increase, nor exceed the batch");
      }
      before = call.batch_sizes[t];
    }
  }
  const bool some = call.steps > 0 && call.batch > 0;
  call.parameters = fixed<T>(places, code);
  for (const auto* widths : {&code.input_widths, &code.output_widths}) {
    auto& list = widths == &code.input_widths ? call.inputs : call.outputs;
    for (const std::int64_t width : *widths) {
      T* data = places.address<T*>(some && width > 0);
      const std::int64_t steps = places.next(), given = places.next();
      // The stride of a dimension of size 1 may be anything: this one lets several steps count as one run of rows.
      const std::int64_t rows = call.batch == 1 && call.batch_sizes == nullptr ? steps : given;
      list.push_back({data, steps, rows});
    }
  }
  for (std::size_t n = 0; n < code.states.size(); ++n) {
    const T* first = places.address<const T*>(false);
    const std::int64_t first_stride = places.next();
    T* last = places.address<T*>(false);
    const std::int64_t last_stride = places.next();
    call.first.push_back({first, first_stride});
    call.last.push_back({last, last_stride});
  }
  for (std::int64_t n = places.next(); n > 0; --n) {
    const T* data = places.address<const T*>(false);
    call.beginning.push_back({data, places.next()});
  }
  if (code.beginnings > static_cast<std::int64_t>(call.beginning.size())) throw std::invalid_argument("too few first states");
  for (std::size_t n = 0; n < code.results.size(); ++n) {
    const Value& value = code.values[code.results[n]];
    call.results.push_back(places.address<T*>(value.width * value.rows > 0));
  }
  if (places.at != words.size()) throw std::invalid_argument("too many addresses and strides");
  const Constants<T>* constants = constants_of(prepared);
  nb::gil_scoped_release unlocked;
  executor_.run(call, constants);
}

template <class T>
nb::object TypedKernel<T>::prepare(const Words& words, bool compact) const {
  Places places{words};
  const std::vector<Fixed<const T>> parameters = fixed<T>(places, executor_.code());
  if (places.at != words.size()) throw std::invalid_argument("too many addresses and strides");
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

// The caller owns what comes back.
AnyKernel* make(const Words& words, const std::vector<double>& literals, bool is_double,
                                const std::string& isa) {
  const Kernels& kernels = kernels_of(isa);
  if (is_double) return new TypedKernel<double>(decode(words, literals, kernels.f64.lanes), kernels.f64);
  return new TypedKernel<float>(decode(words, literals, kernels.f32.lanes), kernels.f32);
}

}  // namespace

std::vector<std::string> operation_names() {
  return {"copy",    "load",       "store", "add",           "subtract", "multiply",  "divide",   "power",
          "negative", "sigmoid",   "tanh",  "relu",          "exp",      "log",       "softplus", "sqrt",
          "abs",     "sin",        "cos",   "minimum",       "maximum",  "clip",      "less",     "less_equal",
          "greater", "greater_equal", "equal", "not_equal",  "where",    "multiply_add", "one_minus", "one_minus_square",
          "one_minus_multiply", "one_minus_square_multiply", "one_minus_multiply_add", "mix", "sigmoid_add", "tanh_add",
          "tanh_multiply_add", "sigmoid_multiply", "tanh_multiply", "sigmoid_tanh", "sigmoid_multiply_add"};
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
           "The weights packed, to keep between calls. Matrices whose numbers bfloat16 or int8 holds exactly are kept so\n"
           "where that makes calls faster; where `compact`, wherever it takes less memory. Results are the same.");
  m.def("kernel", &make, nb::arg("words"), nb::arg("literals"), nb::arg("is_double"), nb::arg("isa") = "",
        nb::rv_policy::take_ownership,
        "The kernel of lowered code (engines/native/lower.py).\n\n"
        "Raises ValueError where the words are no code, or this machine does not run `isa`.");
}

}  // namespace recurra
