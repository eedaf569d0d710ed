#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "bind_arrays.h"
#include "bind_kernel.h"
#include "bind_steps.h"
#include "dispatch.h"
#include "integers.h"

namespace nb = nanobind;

namespace recurra {
namespace {

ByteArray bytes_of(const Constant& array) {
  require(array.ndim() == 2, "bytes must be a matrix");
  return {static_cast<const std::uint8_t*>(array.data()), is_signed(array), array.stride(0), array.stride(1)};
}

// A zero point for each column.
std::vector<std::int32_t> zero_points(const std::optional<Constant>& zeros, bool is_of_signed, std::int64_t columns) {
  std::vector<std::int32_t> each(static_cast<std::size_t>(columns), 0);
  if (!zeros) return each;
  require(is_signed(*zeros) == is_of_signed, "zero points of another dtype");
  const auto size = static_cast<std::int64_t>(zeros->size());
  require(size == 1 || (zeros->ndim() == 1 && size == columns), "not one zero point for each column");
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto* at = static_cast<const std::uint8_t*>(zeros->data()) + (size == 1 ? 0 : c * zeros->stride(0));
    each[static_cast<std::size_t>(c)] = number_of(*at, is_of_signed);
  }
  return each;
}

IntegerMatrix matrix_of(const Constant& b, const std::optional<Constant>& zeros, const std::string& isa) {
  const ByteArray array = bytes_of(b);
  const auto k = static_cast<std::int64_t>(b.shape(0)), columns = static_cast<std::int64_t>(b.shape(1));
  const Kernels& kernels = kernels_of(isa);
  return {array, k, columns, zero_points(zeros, array.is_signed, columns), kernels.integers, kernels.lanes};
}

template <class T>
Rescaling::Numbers<T> numbers_of(const std::optional<Constant>& array, std::int64_t columns) {
  Rescaling::Numbers<T> numbers;
  if (array) numbers.data = elements_of<const T>(*array, columns, &numbers.step);
  return numbers;
}

// What becomes of sums, in arrays that have one number, or one for each column.
struct ResultArrays {
  std::optional<Constant> a_scale, b_scale, bias, added, y_scale, y_zero;
  bool is_rectified;

  Rescaling to(const Any& y, std::int64_t columns) const {
    Rescaling found;
    found.a_scale = numbers_of<float>(a_scale, 1), found.b_scale = numbers_of<float>(b_scale, columns);
    found.bias = numbers_of<float>(bias, columns), found.y_scale = numbers_of<float>(y_scale, columns);
    found.added = numbers_of<std::int32_t>(added, columns);
    found.is_rectified = is_rectified;
    if (y.dtype() == nb::dtype<std::int32_t>()) {
      found.sums = static_cast<std::int32_t*>(y.data());
      require(!a_scale && !b_scale && !bias && !added && !is_rectified, "sums of int32 are not scaled");
    } else if (y.dtype() == nb::dtype<float>()) {
      found.floats = static_cast<float*>(y.data());
    } else {
      require(y_scale && y_zero && !bias && !is_rectified, "bytes need a scale and a zero point, and have no bias");
      found.bytes = static_cast<std::uint8_t*>(y.data());
      found.is_signed = is_signed(y);
      found.y_zero = zero_of(y_zero, found.is_signed);
    }
    return found;
  }
};

Held product_step(const nb::object& matrix, const Constant& a, const std::optional<Constant>& zero, const Any& y,
                  const ResultArrays& arrays, int threads) {
  const auto& packed = nb::cast<const IntegerMatrix&>(matrix);
  const ByteArray rows = bytes_of(a);
  const auto count = static_cast<std::int64_t>(a.shape(0)), columns = packed.columns();
  require(static_cast<std::int64_t>(a.shape(1)) == packed.k(), "rows of another length than columns");
  require(a.shape(1) <= 1 || rows.column_stride == 1, "rows that are not contiguous");
  require(y.ndim() == 2 && static_cast<std::int64_t>(y.shape(0)) == count &&
              static_cast<std::int64_t>(y.shape(1)) == columns,
          "y must be (rows, columns)");
  require((columns <= 1 || y.stride(1) == 1) && (count <= 1 || y.stride(0) == columns), "y that is not contiguous");
  return {integer_product(rows, zero_of(zero, rows.is_signed), count, packed, arrays.to(y, columns), threads),
          {matrix}};
}

Held convolution_step(const Constant& x, const std::optional<Constant>& zero, const Constant& weights,
                      const std::optional<Constant>& zeros, const Any& y, std::int64_t groups, Pair strides,
                      Pair dilations, Pair before, Pair after, const ResultArrays& arrays, int threads,
                      const std::string& isa) {
  require(weights.ndim() == 4, "weights must be (filters, channels / groups, height, width)");
  const Pair kernel{static_cast<std::int64_t>(weights.shape(2)), static_cast<std::int64_t>(weights.shape(3))};
  const Windows w = windows_of(x, y, groups, kernel, strides, dilations, before, after);
  require_dense(y, {w.images, w.filters, w.out(0), w.out(1)});
  const IntegerFilters filters{dense_bytes(weights, {w.filters, w.channels / groups, kernel[0], kernel[1]}),
                               is_signed(weights), zero_points(zeros, is_signed(weights), w.filters)};
  return {integer_convolution(w, dense_bytes(x, {w.images, w.channels, w.height, w.width}), is_signed(x),
                              zero_of(zero, is_signed(x)), filters, arrays.to(y, w.filters), threads, kernels_of(isa)),
          {}};
}

}  // namespace

void bind_integers(nb::module_& m) {
  nb::class_<IntegerMatrix>(m, "IntegerMatrix", "A matrix of 8-bit numbers minus their zero points, packed.")
      .def_prop_ro("nbytes", &IntegerMatrix::bytes, "The memory that it takes.");
  m.def("integer_matrix", &matrix_of, nb::arg("b"), nb::arg("zeros").none(), nb::arg("isa") = "",
        "Packs b, (k, columns), with no zero point, one, or one for each column.");
  nb::class_<ResultArrays>(m, "ResultArrays", "What becomes of the exact sums of a product or convolution.")
      .def(
          "__init__",
          [](ResultArrays* self, const std::optional<Constant>& a_scale, const std::optional<Constant>& b_scale,
             const std::optional<Constant>& bias, const std::optional<Constant>& added,
             const std::optional<Constant>& y_scale, const std::optional<Constant>& y_zero, bool is_rectified) {
            new (self) ResultArrays{a_scale, b_scale, bias, added, y_scale, y_zero, is_rectified};
          },
          nb::arg("a_scale").none(), nb::arg("b_scale").none(), nb::arg("bias").none(), nb::arg("added").none(),
          nb::arg("y_scale").none(), nb::arg("y_zero").none(), nb::arg("is_rectified"),
          "Sums of int32 stay as they are. For float32, int32 numbers are added, the sums are multiplied by both "
          "scales,\n"
          "and a bias is added; negative results may become zeros. For 8 bits, they are multiplied by both scales "
          "over\n"
          "y_scale, rounded, and y_zero is added. Scales of b, biases and added numbers may be one for each column.");
  m.def("integer_product_step", &product_step, nb::arg("matrix"), nb::arg("a"), nb::arg("zero").none(), nb::arg("y"),
        nb::arg("arrays"), nb::arg("threads"),
        "The product of a, (rows, k), minus its zero point, and a packed matrix. Everything but the matrix is read in\n"
        "each run.\n\nRaises ValueError where dtypes or sizes do not fit.");
  m.def("integer_convolution_step", &convolution_step, nb::arg("x"), nb::arg("zero").none(), nb::arg("weights"),
        nb::arg("zeros").none(), nb::arg("y"), nb::arg("groups"), nb::arg("strides"), nb::arg("dilations"),
        nb::arg("before"), nb::arg("after"), nb::arg("arrays"), nb::arg("threads"), nb::arg("isa") = "",
        "The cross-correlation of x (images, channels, height, width), minus its zero point, with weights (filters,\n"
        "channels / groups, height, width), minus a zero point or one for each filter, which are packed. Everything\n"
        "else is read in each run.\n\nRaises ValueError where dtypes or sizes do not fit.");
}

}  // namespace recurra
