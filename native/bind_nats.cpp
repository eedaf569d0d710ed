#include "bind_nats.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bind_arrays.h"
#include "bind_kernel.h"
#include "dispatch.h"
#include "nats.h"

namespace nb = nanobind;

namespace recurra {
namespace {

// Memory that calls reuse, one at a time: others wait.
struct Memory {
  Arena arena;
  std::mutex mine;
};

template <class T>
const Routines<T>& routines_of(const Kernels& kernels) {
  if constexpr (sizeof(T) == 4) return kernels.f32;
  else return kernels.f64;
}

void require_targets(const std::int64_t* targets, std::int64_t rows, std::int64_t classes) {
  for (std::int64_t row = 0; row < rows; ++row) {
    if (targets[row] < 0 || targets[row] >= classes) {
      throw nb::index_error(("target " + std::to_string(row) + " is " + std::to_string(targets[row]) +
                             ", which is no class: there are " + std::to_string(classes))
                                .c_str());
    }
  }
}

// A shape with names: "(4 rows, 3 features)".
using Shape = std::initializer_list<std::pair<const char*, std::int64_t>>;

template <class Array>
void require_shape(const Array& array, const char* name, Shape shape) {
  bool fits = array.ndim() == shape.size();
  std::string wanted, found;
  for (std::size_t d = 0; d < array.ndim(); ++d) found += (d ? ", " : "") + std::to_string(array.shape(d));
  std::size_t d = 0;
  for (const auto& [what, size] : shape) {
    fits = fits && size == static_cast<std::int64_t>(array.shape(d));
    wanted += (d++ ? ", " : "") + std::to_string(size) + " " + what;
  }
  if (!fits) throw std::invalid_argument(std::string(name) + " must be (" + wanted + "); got (" + found + ")");
}

// The elements of a contiguous array; null if there is none.
template <class T, class Array>
T* elements(const std::optional<Array>& array, const char* name, Shape shape) {
  if (!array) return nullptr;
  require_shape(*array, name, shape);
  return shape.size() == 1 ? dense<T>(*array, {-1}) : dense<T>(*array, {-1, -1});
}

struct Gradients {
  const std::optional<Any>&hidden, &weight, &bias;
};

template <class T>
double sum_of(Memory& memory, const Constant& hidden, const Constant& weight, const std::optional<Constant>& bias,
              const Constant& targets, const Gradients& gradients, std::int64_t most_bytes, int threads,
              const std::string& isa) {
  require(hidden.ndim() == 2, "hidden must be (rows, features)");
  require(weight.ndim() == 2, "weight must be (classes, features)");
  LinearNats<T> problem{};
  problem.rows = static_cast<std::int64_t>(hidden.shape(0));
  problem.features = static_cast<std::int64_t>(hidden.shape(1));
  problem.classes = static_cast<std::int64_t>(weight.shape(0));
  const std::pair rows{"rows", problem.rows}, features{"features", problem.features},
      classes{"classes", problem.classes};
  problem.hidden = elements<T>(std::optional(hidden), "hidden", {rows, features});
  problem.weight = elements<T>(std::optional(weight), "weight", {classes, features});
  problem.bias = elements<T>(bias, "bias", {classes});
  problem.targets = elements<std::int64_t>(std::optional(targets), "targets", {rows});
  problem.of_hidden = elements<T>(gradients.hidden, "hidden's gradient", {rows, features});
  problem.of_weight = elements<T>(gradients.weight, "weight's gradient", {classes, features});
  problem.of_bias = elements<T>(gradients.bias, "bias's gradient", {classes});
  require(problem.classes >= 1, "there are no classes");
  require(most_bytes >= 0 && threads >= 1, "no memory or threads");
  require_targets(problem.targets, problem.rows, problem.classes);
  const Routines<T>& routines = routines_of<T>(kernels_of(isa));
  const nb::gil_scoped_release unlocked;
  const std::lock_guard<std::mutex> lock(memory.mine);
  return linear_nats(problem, static_cast<std::size_t>(most_bytes), threads, memory.arena, routines);
}

double sum_of_nats(Memory& memory, const Constant& hidden, const Constant& weight, const std::optional<Constant>& bias,
                   const Constant& targets, const std::optional<Any>& of_hidden, const std::optional<Any>& of_weight,
                   const std::optional<Any>& of_bias, std::int64_t most_bytes, int threads, const std::string& isa) {
  const auto sum = hidden.dtype() == nb::dtype<double>() ? sum_of<double> : sum_of<float>;
  return sum(memory, hidden, weight, bias, targets, {of_hidden, of_weight, of_bias}, most_bytes, threads, isa);
}

}  // namespace

void bind_nats(nb::module_& m) {
  nb::class_<Memory>(m, "Memory",
                     "Memory that calls reuse, one at a time; others wait. It grows with the largest of them.")
      .def(nb::init<>())
      .def_prop_ro("nbytes", [](const Memory& memory) { return memory.arena.bytes(); }, "Its size.");
  m.def(
      "linear_nats", &sum_of_nats, nb::arg("memory"), nb::arg("hidden"), nb::arg("weight"), nb::arg("bias").none(),
      nb::arg("targets"), nb::arg("of_hidden").none(), nb::arg("of_weight").none(), nb::arg("of_bias").none(),
      nb::arg("most_bytes"), nb::arg("threads"), nb::arg("isa") = "",
      "The sum of the cross-entropies in nats of the logits hidden @ weight.T + bias; its gradients are written into\n"
      "`of_hidden`, `of_weight` and `of_bias` (None: not wanted).\n\n"
      "Takes hidden (rows, features), weight (classes, features), bias (classes) or None, and targets (rows), int64;\n"
      "all contiguous, float32 or float64. About `most_bytes` of memory hold probabilities.\n"
      "Raises ValueError where sizes or dtypes do not fit, IndexError where a target is no class.");
}

}  // namespace recurra
