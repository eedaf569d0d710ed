// The arrays of steps, as Python passes them: their memory, and windows over them.
#pragma once

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <vector>

#include "bind_call.h"
#include "steps.h"

namespace recurra {

namespace nb = nanobind;
using Any = nb::ndarray<nb::device::cpu>;
using Constant = nb::ndarray<nb::ro, nb::device::cpu>;
using Pair = std::array<std::int64_t, 2>;
using Words = std::vector<std::int64_t>;

// Refuses memory that is not contiguous, or not of these sizes (-1: any).
template <class Array>
void require_dense(const Array& array, std::initializer_list<std::int64_t> sizes) {
  require(array.ndim() == sizes.size(), "an array of other dimensions");
  std::int64_t stride = 1;
  for (std::size_t d = array.ndim(); d-- > 0;) {
    const std::int64_t size = *(sizes.begin() + d), own = static_cast<std::int64_t>(array.shape(d));
    require(size < 0 || size == own, "an array of another size");
    require(own == 1 || array.size() == 0 || array.stride(d) == stride, "an array that is not contiguous");
    stride *= own;
  }
}

template <class T, class Array>
T* dense(const Array& array, std::initializer_list<std::int64_t> sizes) {
  require(array.dtype() == nb::dtype<T>(), "an array of another dtype");
  require_dense(array, sizes);
  return const_cast<T*>(static_cast<const T*>(array.data()));
}

// The windows over x that give y, both (images, channels, height, width).
template <class Array, class Output>
Windows windows_of(const Array& x, const Output& y, std::int64_t groups, Pair kernel, Pair strides, Pair dilations,
                   Pair before, Pair after) {
  require(x.ndim() == 4 && y.ndim() == 4, "x and y must be (images, channels, height, width)");
  Windows w{};
  w.images = static_cast<std::int64_t>(x.shape(0)), w.channels = static_cast<std::int64_t>(x.shape(1));
  w.height = static_cast<std::int64_t>(x.shape(2)), w.width = static_cast<std::int64_t>(x.shape(3));
  w.filters = static_cast<std::int64_t>(y.shape(1)), w.groups = groups;
  for (int axis = 0; axis < 2; ++axis) {
    const auto n = static_cast<std::size_t>(axis);
    w.kernel[axis] = kernel[n], w.strides[axis] = strides[n], w.dilations[axis] = dilations[n];
    w.before[axis] = before[n], w.after[axis] = after[n];
  }
  w.check();
  return w;
}

// Whether an array of 8-bit numbers has signed ones.
template <class Array>
bool is_signed(const Array& array) {
  require(array.dtype() == nb::dtype<std::int8_t>() || array.dtype() == nb::dtype<std::uint8_t>(),
          "numbers that are not of 8 bits");
  return array.dtype() == nb::dtype<std::int8_t>();
}

// The numbers of 8 bits in contiguous memory of these sizes.
template <class Array>
std::uint8_t* dense_bytes(const Array& array, std::initializer_list<std::int64_t> sizes) {
  is_signed(array);
  require_dense(array, sizes);
  return const_cast<std::uint8_t*>(static_cast<const std::uint8_t*>(array.data()));
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

// A zero point, or several: numbers of the dtype of the numbers that they belong to; null for none.
inline const std::uint8_t* zero_of(const std::optional<Constant>& zero, bool is_of_signed, std::int64_t columns = 1,
                                   std::int64_t* step = nullptr) {
  if (!zero) return nullptr;
  require(is_signed(*zero) == is_of_signed, "zero points must be of their numbers' dtype");
  return is_of_signed ? reinterpret_cast<const std::uint8_t*>(elements_of<const std::int8_t>(*zero, columns, step))
                      : elements_of<const std::uint8_t>(*zero, columns, step);
}

}  // namespace recurra
