#include "bind_steps.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bind_arrays.h"
#include "bind_kernel.h"
#include "dispatch.h"
#include "steps.h"

namespace nb = nanobind;

namespace recurra {
namespace {

constexpr double long_run = 200000;  // multiply-adds of a run that releases the GIL

template <class T>
const Routines<T>& routines() {
  if constexpr (sizeof(T) == 4) return active_kernels().f32;
  else return active_kernels().f64;
}

// ---- windows ----

template <class T>
Held convolution_of(const Constant& x, const Constant& weights, const std::optional<Constant>& bias, const Any& y,
                    std::int64_t groups, Pair strides, Pair dilations, Pair before, Pair after, const Words& words,
                    const std::vector<double>& literals, int threads) {
  require(weights.ndim() == 4, "weights must be (filters, channels / groups, height, width)");
  const Pair kernel{static_cast<std::int64_t>(weights.shape(2)), static_cast<std::int64_t>(weights.shape(3))};
  const Windows w = windows_of(x, y, groups, kernel, strides, dilations, before, after);
  std::unique_ptr<Chain<T>> chain;
  if (!words.empty()) chain = std::make_unique<Chain<T>>(words, literals, 2, routines<T>());
  return {
      convolution<T>(w, dense<T>(x, {-1, -1, -1, -1}),
                     dense<T>(weights, {w.filters, w.channels / groups, kernel[0], kernel[1]}),
                     bias ? dense<T>(*bias, {w.filters}) : nullptr,
                     dense<T>(y, {w.images, w.filters, w.out(0), w.out(1)}), std::move(chain), threads, routines<T>()),
      {}};
}

Held convolution_step(const Constant& x, const Constant& weights, const std::optional<Constant>& bias, const Any& y,
                      std::int64_t groups, Pair strides, Pair dilations, Pair before, Pair after, const Words& words,
                      const std::vector<double>& literals, int threads) {
  const auto make = x.dtype() == nb::dtype<double>() ? convolution_of<double> : convolution_of<float>;
  return make(x, weights, bias, y, groups, strides, dilations, before, after, words, literals, threads);
}

template <class T>
Held pooling_of(const Constant& x, const std::optional<Constant>& counts, const Any& y, Pair kernel, Pair strides,
                Pair dilations, Pair before, Pair after, int threads) {
  const Windows w = windows_of(x, y, 1, kernel, strides, dilations, before, after);
  require(w.filters == w.channels, "y must have the channels of x");
  return {pooling<T>(w, dense<T>(x, {-1, -1, -1, -1}), counts ? dense<T>(*counts, {w.out(0), w.out(1)}) : nullptr,
                     dense<T>(y, {w.images, w.channels, w.out(0), w.out(1)}), threads, routines<T>()),
          {}};
}

Held pooling_step(const Constant& x, const std::optional<Constant>& counts, const Any& y, Pair kernel, Pair strides,
                  Pair dilations, Pair before, Pair after, int threads) {
  const auto make = x.dtype() == nb::dtype<double>() ? pooling_of<double> : pooling_of<float>;
  return make(x, counts, y, kernel, strides, dilations, before, after, threads);
}

// ---- elementwise ----

template <class T>
class Elementwise : public Step {
 public:
  Elementwise(Chain<T> chain, std::vector<typename Chain<T>::Array> arrays, std::int64_t rows, std::int64_t columns,
              int threads)
      : chain_(std::move(chain)), arrays_(std::move(arrays)), rows_(rows), columns_(columns), threads_(threads) {
    work_ = static_cast<double>(rows * columns) * static_cast<double>(chain_.operations()) / 2;
  }

  void run() override {
    const bool by_rows = rows_ >= 16;
    const std::int64_t count = by_rows ? rows_ : (columns_ + piece - 1) / piece;
    split_work(threads_, work_, count, [&](std::int64_t begin, std::int64_t end) {
      thread_local std::vector<typename Chain<T>::Array> own;
      own = arrays_;
      const std::int64_t first = by_rows ? 0 : begin * piece,
                         last = by_rows ? columns_ : std::min(columns_, end * piece);
      for (auto& array : own) array.data += by_rows ? begin * array.row_stride : first * array.column_step;
      chain_.run(own.data(), static_cast<std::size_t>(by_rows ? end - begin : rows_),
                 static_cast<std::size_t>(last - first));
    });
  }

 private:
  static constexpr std::int64_t piece = 1024;  // columns
  Chain<T> chain_;
  std::vector<typename Chain<T>::Array> arrays_;
  std::int64_t rows_, columns_;
  int threads_;
};

template <class T>
Held elementwise_of(const std::vector<Constant>& arrays, const Words& words, const std::vector<double>& literals,
                    int threads) {
  require(!arrays.empty(), "no arrays");
  std::int64_t rows = 1, columns = 1;
  for (const Constant& array : arrays) {
    require(array.dtype() == nb::dtype<T>() && array.ndim() == 2, "an array of another dtype or dimensions");
    rows = std::max(rows, static_cast<std::int64_t>(array.shape(0)));
    columns = std::max(columns, static_cast<std::int64_t>(array.shape(1)));
  }
  require(columns < std::int64_t{1} << 31, "too many columns");
  std::vector<typename Chain<T>::Array> places;
  std::vector<char> is_whole;
  for (const Constant& array : arrays) {
    const auto own_rows = static_cast<std::int64_t>(array.shape(0)), own = static_cast<std::int64_t>(array.shape(1));
    require((own_rows == rows || own_rows == 1) && (own == columns || own == 1), "arrays that do not broadcast");
    require(own == 1 || array.stride(1) == 1, "columns that are not contiguous");
    places.push_back({const_cast<T*>(static_cast<const T*>(array.data())), own_rows == 1 ? 0 : array.stride(0),
                      own == 1 && columns > 1 ? 0 : 1});
    is_whole.push_back(own_rows == rows && own == columns);
  }
  for (std::size_t at = 1; at < words.size(); at += 5) {
    if (words[at] >= 0 && words[at] < static_cast<std::int64_t>(arrays.size())) {
      require(is_whole[static_cast<std::size_t>(words[at])] != 0, "a result that is not whole");
    }
  }
  Chain<T> chain(words, literals, arrays.size(), routines<T>());
  return {std::make_unique<Elementwise<T>>(std::move(chain), std::move(places), rows, columns, threads), {}};
}

Held elementwise_step(const std::vector<Constant>& arrays, const Words& words, const std::vector<double>& literals,
                      int threads) {
  require(!arrays.empty(), "no arrays");
  const bool is_double = arrays[0].dtype() == nb::dtype<double>();
  return (is_double ? elementwise_of<double> : elementwise_of<float>)(arrays, words, literals, threads);
}

// ---- copies and kernels ----

Held copying_step(const Constant& from, const Any& to, int threads) {
  require(from.ndim() == to.ndim() && from.dtype() == to.dtype(), "arrays of different dimensions or dtypes");
  std::vector<std::int64_t> sizes, from_strides, to_strides;
  const auto item = static_cast<std::int64_t>(from.itemsize());
  for (std::size_t d = 0; d < from.ndim(); ++d) {
    require(from.shape(d) == to.shape(d), "arrays of different shapes");
    sizes.push_back(static_cast<std::int64_t>(from.shape(d)));
    from_strides.push_back(from.stride(d) * item), to_strides.push_back(to.stride(d) * item);
  }
  return {copying(from.data(), to.data(), sizes, from_strides, to_strides, item, threads), {}};
}

template <class T>
class RepeatedCall : public Step {
 public:
  RepeatedCall(const TypedKernel<T>& kernel, Call<T> call, const Constants<T>& constants)
      : call_(kernel.executor(), std::move(call), constants) {}
  void run() override { call_.run(); }
  void set_work(double work) { work_ = work; }

 private:
  Repeated<T> call_;
};

template <class T>
std::unique_ptr<Step> repeated_of(const AnyKernel& kernel, const Words& words, const nb::object& prepared) {
  const auto* typed = dynamic_cast<const TypedKernel<T>*>(&kernel);
  if (typed == nullptr) return nullptr;
  const Constants<T>* constants = typed->constants_of(prepared);
  require(constants != nullptr, "weights that are not prepared");
  const Code& code = typed->executor().code();
  Call<T> call = typed->call_of(words);
  double work = 0;
  for (const Matrix& m : code.matrices) {
    for (const MatrixPart& part : m.parts) work += static_cast<double>(m.k * part.width * call.batch * call.steps);
  }
  for (const auto* stage : {&code.before, &code.step, &code.after}) {
    for (const Instruction& i : *stage) {
      require(i.kind != Kind::product || constants->packed[static_cast<std::size_t>(i.k)].panels != nullptr,
              "a matrix that is not packed");
    }
  }
  auto step = std::make_unique<RepeatedCall<T>>(*typed, std::move(call), *constants);
  step->set_work(work);
  return step;
}

Held kernel_step(const nb::object& kernel, const Words& words, const nb::object& prepared) {
  const auto& any = nb::cast<const AnyKernel&>(kernel);
  std::unique_ptr<Step> step = repeated_of<float>(any, words, prepared);
  if (step == nullptr) step = repeated_of<double>(any, words, prepared);
  return {std::move(step), {kernel, prepared}};
}

// Steps that run one after the other.
class Steps {
 public:
  explicit Steps(std::vector<nb::object> steps) : objects_(std::move(steps)) {
    for (const nb::object& object : objects_) {
      Step* step = nb::cast<Held&>(object).step.get();
      steps_.push_back(step);
      work_ += step->work();
    }
  }

  void run() const {
    if (work_ < long_run) return run_all();
    nb::gil_scoped_release unlocked;
    run_all();
  }

 private:
  void run_all() const {
    for (Step* step : steps_) step->run();
  }

  std::vector<nb::object> objects_;
  std::vector<Step*> steps_;
  double work_ = 0;
};

}  // namespace

void bind_steps(nb::module_& m) {
  nb::class_<Held>(m, "Step", "A computation on arrays that stay where they are.")
      .def(
          "keep", [](Held& held, nb::object object) { held.alive.push_back(std::move(object)); }, nb::arg("object"),
          "Keep an object alive as long as the step: the arrays that it reads and writes.")
      .def_prop_ro("nbytes", [](const Held& held) { return held.step->bytes(); }, "The memory of its own.");
  nb::class_<Steps>(m, "Steps", "Steps that one call runs one after the other.")
      .def(nb::init<std::vector<nb::object>>(), nb::arg("steps"))
      .def("run", &Steps::run, "Run them. One thread at a time may do so.");
  m.def(
      "convolution_step", &convolution_step, nb::arg("x"), nb::arg("weights"), nb::arg("bias").none(), nb::arg("y"),
      nb::arg("groups"), nb::arg("strides"), nb::arg("dilations"), nb::arg("before"), nb::arg("after"),
      nb::arg("operations"), nb::arg("literals"), nb::arg("threads"),
      "The cross-correlation of x (images, channels, height, width) with weights (filters, channels / groups, height,\n"
      "width), then elementwise operations, whose array 0 is the sum and whose array 1 is y. The weights stay as they "
      "are.\n\n"
      "Raises ValueError where arrays are not contiguous or sizes do not fit.");
  m.def("pooling_step", &pooling_step, nb::arg("x"), nb::arg("counts").none(), nb::arg("y"), nb::arg("kernel"),
        nb::arg("strides"), nb::arg("dilations"), nb::arg("before"), nb::arg("after"), nb::arg("threads"),
        "The largest element of each window; with counts (height, width) of y, the sum divided by them.");
  m.def(
      "elementwise_step", &elementwise_step, nb::arg("arrays"), nb::arg("operations"), nb::arg("literals"),
      nb::arg("threads"),
      "Elementwise operations on matrices that broadcast. Each operation is five numbers: operation, result, operands\n"
      "(-1: none). Values are numbered: arrays, literals, then temporaries.");
  m.def("copying_step", &copying_step, nb::arg("from_"), nb::arg("to"), nb::arg("threads"),
        "A copy between arrays of the same shape and any strides.");
  m.def("kernel_step", &kernel_step, nb::arg("kernel"), nb::arg("words"), nb::arg("prepared"),
        "A run of a kernel; `words` are those of Kernel.run.");
}

}  // namespace recurra
