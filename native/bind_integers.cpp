#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "bind_call.h"
#include "bind_kernel.h"
#include "bind_steps.h"
#include "dispatch.h"
#include "integers.h"

namespace nb = nanobind;

namespace recurra {
namespace {

using Any = nb::ndarray<nb::device::cpu>;
using Constant = nb::ndarray<nb::ro, nb::device::cpu>;

bool is_signed(const Constant& array) {
  require(array.dtype() == nb::dtype<std::int8_t>() || array.dtype() == nb::dtype<std::uint8_t>(),
          "numbers that are not of 8 bits");
  return array.dtype() == nb::dtype<std::int8_t>();
}

ByteArray bytes_of(const Constant& array) {
  require(array.ndim() == 2, "bytes must be a matrix");
  return {static_cast<const std::uint8_t*>(array.data()), is_signed(array), array.stride(0), array.stride(1)};
}

// The elements of an array of one number, or of as many as there are columns.
template <class T, class Array>
T* elements_of(const Array& array, std::int64_t columns, std::int64_t* step = nullptr) {
  require(array.dtype() == nb::dtype<std::remove_const_t<T>>(), "an array of another dtype");
  const auto size = static_cast<std::int64_t>(array.size());
  require(size == 1 || (step != nullptr && array.ndim() == 1 && size == columns), "not one number for each column");
  require(size == 1 || array.stride(0) == 1, "an array that is not contiguous");
  if (step != nullptr) *step = size == 1 ? 0 : 1;
  return static_cast<T*>(array.data());
}

IntegerMatrix matrix_of(const Constant& b, const std::optional<Constant>& zeros, const std::string& isa) {
  const ByteArray array = bytes_of(b);
  const auto k = static_cast<std::int64_t>(b.shape(0)), columns = static_cast<std::int64_t>(b.shape(1));
  std::vector<std::int32_t> each(static_cast<std::size_t>(columns), 0);
  if (zeros) {
    require(is_signed(*zeros) == array.is_signed, "zero points of another dtype");
    const auto size = static_cast<std::int64_t>(zeros->size());
    require(size == 1 || (zeros->ndim() == 1 && size == columns), "not one zero point for each column");
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto* at = static_cast<const std::uint8_t*>(zeros->data()) + (size == 1 ? 0 : c * zeros->stride(0));
      each[static_cast<std::size_t>(c)] = array.is_signed ? static_cast<std::int8_t>(*at) : *at;
    }
  }
  const Kernels& kernels = kernels_of(isa);
  return {array, k, columns, each, kernels.integers, kernels.lanes};
}

Rescaling::Numbers numbers_of(const std::optional<Constant>& array, std::int64_t columns) {
  Rescaling::Numbers numbers;
  if (array) numbers.data = elements_of<const float>(*array, columns, &numbers.step);
  return numbers;
}

Held product_step(const nb::object& matrix, const Constant& a, const std::optional<Constant>& zero, const Any& y,
                  const std::optional<Constant>& a_scale, const std::optional<Constant>& b_scale,
                  const std::optional<Constant>& bias, const std::optional<Constant>& y_scale,
                  const std::optional<Constant>& y_zero, int threads) {
  const auto& packed = nb::cast<const IntegerMatrix&>(matrix);
  const ByteArray rows = bytes_of(a);
  const auto count = static_cast<std::int64_t>(a.shape(0)), columns = packed.columns();
  require(static_cast<std::int64_t>(a.shape(1)) == packed.k(), "rows of another length than columns");
  require(a.shape(1) <= 1 || rows.column_stride == 1, "rows that are not contiguous");
  require(y.ndim() == 2 && static_cast<std::int64_t>(y.shape(0)) == count &&
              static_cast<std::int64_t>(y.shape(1)) == columns,
          "y must be (rows, columns)");
  require((columns <= 1 || y.stride(1) == 1) && (count <= 1 || y.stride(0) == columns), "y that is not contiguous");
  Rescaling to;
  to.a_scale = numbers_of(a_scale, 1), to.b_scale = numbers_of(b_scale, columns);
  to.bias = numbers_of(bias, columns), to.y_scale = numbers_of(y_scale, columns);
  if (y.dtype() == nb::dtype<std::int32_t>()) {
    to.sums = static_cast<std::int32_t*>(y.data());
  } else if (y.dtype() == nb::dtype<float>()) {
    to.floats = static_cast<float*>(y.data());
  } else {
    require(y_scale && y_zero && a_scale, "bytes need scales and a zero point");
    to.bytes = static_cast<std::uint8_t*>(y.data());
    to.is_signed = y.dtype() == nb::dtype<std::int8_t>();
    require(to.is_signed || y.dtype() == nb::dtype<std::uint8_t>(), "y of another dtype");
    require(is_signed(*y_zero) == to.is_signed && y_zero->size() == 1, "y_zero must be one number of y's dtype");
    to.y_zero = static_cast<const std::uint8_t*>(y_zero->data());
  }
  const std::uint8_t* offset = nullptr;
  if (zero) {
    require(is_signed(*zero) == rows.is_signed && zero->size() == 1, "the zero point must be one number of a's dtype");
    offset = static_cast<const std::uint8_t*>(zero->data());
  }
  return {integer_product(rows, offset, count, packed, to, threads), {matrix}};
}

Held quantization_step(const Constant& x, const Any& y, const Any& scale, const Any& zero) {
  require(x.dtype() == nb::dtype<float>() && y.dtype() == nb::dtype<std::uint8_t>() && x.size() == y.size(),
          "x must be of float32, y of uint8, of the same size");
  for (const auto* array : {&scale, &zero}) require(array->size() == 1, "scale and zero must be one number each");
  std::int64_t stride = 1;
  for (std::size_t d = x.ndim(); d-- > 0;) {
    require(x.shape(d) == 1 || x.stride(d) == stride, "x that is not contiguous");
    stride *= static_cast<std::int64_t>(x.shape(d));
  }
  stride = 1;
  for (std::size_t d = y.ndim(); d-- > 0;) {
    require(y.shape(d) == 1 || y.stride(d) == stride, "y that is not contiguous");
    stride *= static_cast<std::int64_t>(y.shape(d));
  }
  return {dynamic_quantization(static_cast<const float*>(x.data()), static_cast<std::int64_t>(x.size()),
                               static_cast<std::uint8_t*>(y.data()), elements_of<float>(scale, 1),
                               elements_of<std::uint8_t>(zero, 1)),
          {}};
}

}  // namespace

void bind_integers(nb::module_& m) {
  nb::class_<IntegerMatrix>(m, "IntegerMatrix", "A matrix of 8-bit numbers minus their zero points, packed.")
      .def_prop_ro("nbytes", &IntegerMatrix::bytes, "The memory that it takes.");
  m.def("integer_matrix", &matrix_of, nb::arg("b"), nb::arg("zeros").none(), nb::arg("isa") = "",
        "Packs b, (k, columns), with no zero point, one, or one for each column.");
  m.def("integer_product_step", &product_step, nb::arg("matrix"), nb::arg("a"), nb::arg("zero").none(), nb::arg("y"),
        nb::arg("a_scale").none(), nb::arg("b_scale").none(), nb::arg("bias").none(), nb::arg("y_scale").none(),
        nb::arg("y_zero").none(), nb::arg("threads"),
        "The product of a, (rows, k), minus its zero point, and a packed matrix. y is int32; or float32, times both\n"
        "scales, plus a bias; or of 8 bits, times both scales over y_scale, rounded, plus y_zero. Everything but the\n"
        "matrix is read in each run.\n\nRaises ValueError where dtypes or sizes do not fit.");
  m.def("dynamic_quantization_step", &quantization_step, nb::arg("x"), nb::arg("y"), nb::arg("scale"), nb::arg("zero"),
        "Whole numbers for x, uint8, by its own range, with their scale and zero point.\n\n"
        "Raises ValueError where dtypes or sizes do not fit.");
}

}  // namespace recurra
