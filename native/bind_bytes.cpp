#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bind_arrays.h"
#include "bind_kernel.h"
#include "bind_steps.h"
#include "byte_steps.h"
#include "dispatch.h"

namespace recurra {
namespace {

Quanta quanta_of(const Constant& scale, const std::optional<Constant>& zero, bool is_signed, std::int64_t channels) {
  Quanta q{nullptr, nullptr, is_signed};
  q.scale = elements_of<const float>(scale, channels, &q.scale_step);
  q.zero = zero_of(zero, is_signed, channels, &q.zero_step);
  return q;
}

template <class Array>
Channels channels_of(const Array& x) {
  require(x.ndim() == 3, "arrays must be (outer, channels, inner)");
  return {static_cast<std::int64_t>(x.shape(0)), static_cast<std::int64_t>(x.shape(1)),
          static_cast<std::int64_t>(x.shape(2))};
}

Held quantization_step(const Constant& x, const Any& y, const Constant& scale, const std::optional<Constant>& zero,
                       int threads, const std::string& isa) {
  const Channels sizes = channels_of(x);
  const float* from = dense<float>(x, {-1, -1, -1});
  std::uint8_t* to = dense_bytes(y, {sizes.outer, sizes.channels, sizes.inner});
  return {quantization(sizes, from, quanta_of(scale, zero, is_signed(y), sizes.channels), to, threads,
                       kernels_of(isa).integers),
          {}};
}

Held dequantization_step(const Constant& x, const Any& y, const Constant& scale, const std::optional<Constant>& zero,
                         int threads, const std::string& isa) {
  const Channels sizes = channels_of(x);
  const std::uint8_t* from = dense_bytes(x, {-1, -1, -1});
  float* to = dense<float>(y, {sizes.outer, sizes.channels, sizes.inner});
  return {dequantization(sizes, from, quanta_of(scale, zero, is_signed(x), sizes.channels), to, threads,
                         kernels_of(isa).integers),
          {}};
}

Held dynamic_step(const Constant& x, const Any& y, const Any& scale, const Any& zero, int threads,
                  const std::string& isa) {
  const auto count = static_cast<std::int64_t>(x.size());
  const float* from = dense<float>(x, {-1});
  return {dynamic_quantization(from, count, dense<std::uint8_t>(y, {count}), elements_of<float>(scale, 1),
                               elements_of<std::uint8_t>(zero, 1), threads, kernels_of(isa).integers),
          {}};
}

// A matrix of bytes that broadcasts to these sizes.
template <class Array>
ByteMatrix matrix_of(const Array& array, std::int64_t rows, std::int64_t columns, bool is_whole) {
  require(array.ndim() == 2, "bytes must be a matrix");
  is_signed(array);
  const auto own_rows = static_cast<std::int64_t>(array.shape(0)), own = static_cast<std::int64_t>(array.shape(1));
  require((own_rows == rows || (own_rows == 1 && !is_whole)) && (own == columns || (own == 1 && !is_whole)),
          "matrices that do not broadcast");
  require(own == 1 || array.stride(1) == 1, "columns that are not contiguous");
  auto* data = const_cast<std::uint8_t*>(static_cast<const std::uint8_t*>(array.data()));
  return {data, own_rows == 1 ? 0 : array.stride(0), own == 1 && columns > 1 ? 0 : 1};
}

Held table_step(const Constant& x, const Any& y, const Constant& table, int threads) {
  require(x.ndim() == 2, "bytes must be a matrix");
  const auto rows = static_cast<std::int64_t>(x.shape(0)), columns = static_cast<std::int64_t>(x.shape(1));
  const std::uint8_t* entries = dense_bytes(table, {256});
  return {looking_up(rows, columns, matrix_of(x, rows, columns, true), matrix_of(y, rows, columns, true),
                     {entries, entries + 256}, threads),
          {}};
}

using QuantizedMatrix = std::tuple<Constant, Constant, std::optional<Constant>>;  // numbers, scale, zero point

Held operations_step(const std::vector<QuantizedMatrix>& inputs, const Any& y, const Constant& scale,
                     const std::optional<Constant>& zero, const Words& words, const std::vector<double>& literals,
                     int threads, const std::string& isa) {
  require(y.ndim() == 2, "bytes must be a matrix");
  const auto rows = static_cast<std::int64_t>(y.shape(0)), columns = static_cast<std::int64_t>(y.shape(1));
  require(columns < std::int64_t{1} << 31, "too many columns");
  std::vector<ByteMatrix> matrices;
  std::vector<Quanta> quanta;
  for (const auto& [numbers, own_scale, own_zero] : inputs) {
    matrices.push_back(matrix_of(numbers, rows, columns, false));
    quanta.push_back(quanta_of(own_scale, own_zero, is_signed(numbers), 1));
  }
  matrices.push_back(matrix_of(y, rows, columns, true));
  quanta.push_back(quanta_of(scale, zero, is_signed(y), 1));
  const auto last = static_cast<std::int64_t>(inputs.size());
  bool is_written = false;
  for (std::size_t at = 1; at < words.size(); at += 5) {
    require(words[at] >= last, "a result that is an input");
    is_written = is_written || words[at] == last;
  }
  require(is_written, "operations without a result");
  const Kernels& kernels = kernels_of(isa);
  Chain<float> chain(words, literals, inputs.size() + 1, kernels.f32);
  return {operations_on_bytes(rows, columns, std::move(matrices), std::move(quanta), std::move(chain), threads,
                              kernels.integers),
          {}};
}

}  // namespace

void bind_bytes(nb::module_& m) {
  m.def("quantization_step", &quantization_step, nb::arg("x"), nb::arg("y"), nb::arg("scale"), nb::arg("zero").none(),
        nb::arg("threads"), nb::arg("isa") = "",
        "Whole numbers y of 8 bits for x, both (outer, channels, inner): x / scale, rounded, plus the zero point; of "
        "each\n"
        "one number or one for each channel.\n\nRaises ValueError where dtypes or sizes do not fit.");
  m.def("dequantization_step", &dequantization_step, nb::arg("x"), nb::arg("y"), nb::arg("scale"),
        nb::arg("zero").none(), nb::arg("threads"), nb::arg("isa") = "",
        "The floats y that whole numbers x of 8 bits stand for: (x - zero) * scale.\n\n"
        "Raises ValueError where dtypes or sizes do not fit.");
  m.def("dynamic_quantization_step", &dynamic_step, nb::arg("x"), nb::arg("y"), nb::arg("scale"), nb::arg("zero"),
        nb::arg("threads"), nb::arg("isa") = "",
        "Whole numbers for x, uint8, by its own range, with their scale and zero point.\n\n"
        "Raises ValueError where dtypes or sizes do not fit.");
  m.def("table_step", &table_step, nb::arg("x"), nb::arg("y"), nb::arg("table"), nb::arg("threads"),
        "y = the entry of a table of 256 bytes for each byte of x; matrices of the same size.\n\n"
        "Raises ValueError where dtypes or sizes do not fit.");
  m.def(
      "byte_operations_step", &operations_step, nb::arg("inputs"), nb::arg("y"), nb::arg("scale"),
      nb::arg("zero").none(), nb::arg("operations"), nb::arg("literals"), nb::arg("threads"), nb::arg("isa") = "",
      "Elementwise operations on the floats that matrices of 8-bit numbers stand for, which broadcast. Each input has\n"
      "its scale and zero point. The result, the value behind the inputs, is rounded to y.\n\n"
      "Raises ValueError where dtypes or sizes do not fit.");
}

}  // namespace recurra
