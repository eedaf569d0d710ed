// Shared by TensorLayers and TensorScan: kernels of one dtype, and tensors as arguments of a call.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bind_call.h"
#include "bind_kernel.h"
#include "torch_tensors.h"

namespace recurra {

using Sizes = std::vector<std::int64_t>;

inline std::int64_t product_of(const std::int64_t* sizes, std::size_t count) {
  return std::accumulate(sizes, sizes + count, std::int64_t(1), std::multiplies<>());
}

// The object must outlive the result.
template <class T>
const TypedKernel<T>& kernel_of(const nanobind::object& object) {
  const auto* typed = dynamic_cast<const TypedKernel<T>*>(nanobind::cast<const AnyKernel*>(object));
  require(typed != nullptr, "a kernel of another dtype");
  return *typed;
}

inline bool is_double(const nanobind::object& kernel) {
  return dynamic_cast<const TypedKernel<double>*>(nanobind::cast<const AnyKernel*>(kernel)) != nullptr;
}

// Whether the code's parameters have these shapes; dimensions before the last two count as further rows.
inline bool has_parameters(const Code& code, const std::vector<Sizes>& shapes) {
  bool fits = code.parameter_rows.size() == shapes.size();
  for (std::size_t n = 0; fits && n < shapes.size(); ++n) {
    const Sizes& shape = shapes[n];
    const std::int64_t width = shape.empty() ? 1 : shape.back();
    const std::int64_t rows = shape.size() < 2 ? 1 : product_of(shape.data(), shape.size() - 1);
    fits = code.parameter_rows[n] == rows && code.parameter_widths[n] == width;
  }
  return fits;
}

// The items of a Python sequence of known length, kept alive.
class Items {
 public:
  Items(nanobind::handle sequence, std::size_t count, const char* what)
      : tuple_(nanobind::steal(PySequence_Tuple(sequence.ptr()))) {
    if (!tuple_.is_valid()) throw nanobind::python_error();
    require(nanobind::len(tuple_) == count, what);
  }
  nanobind::handle operator[](std::size_t n) const { return PyTuple_GetItem(tuple_.ptr(), static_cast<Py_ssize_t>(n)); }

 private:
  nanobind::object tuple_;
};

inline nanobind::object tuple_of(const std::vector<nanobind::object>& values) {
  nanobind::object made = nanobind::steal(PyTuple_New(static_cast<Py_ssize_t>(values.size())));
  for (std::size_t n = 0; n < values.size(); ++n)
    PyTuple_SetItem(made.ptr(), static_cast<Py_ssize_t>(n), values[n].inc_ref().ptr());
  return made;
}

inline void require_shape(bool holds, const char* name) {
  if (!holds) throw std::invalid_argument(std::string(name) + " of another shape");
}

// The tensors that one call reads. Tensors that native code cannot read in place are copied, and the copies kept alive.
template <class T>
class Tensors {
 public:
  Tensors() { held_.reserve(8); }

  // Returns the tensor as it is if its features are contiguous, else a copy.
  View with_contiguous_features(nanobind::handle tensor, const char* name) {
    const View v = view(tensor, dtype_of<T>, name);
    return v.has_contiguous_features() ? v : copied(tensor, name);
  }

  View copied(nanobind::handle tensor, const char* name) {
    hold(contiguous(tensor));
    return view(held_.back(), dtype_of<T>, name);
  }

  void hold(nanobind::object object) { held_.push_back(std::move(object)); }

  // Adds a parameter. One of up to two dimensions may have any strides; a larger one is copied unless contiguous.
  void put_parameter(CallBuilder<T>& call, nanobind::handle tensor, View v) {
    const int rank = v.rank();
    if (rank > 2) {
      if (!v.is_contiguous()) v = copied(tensor, "a parameter");
      call.parameter(v.data<const T>(), v.size(rank - 1), 1);
    } else {
      call.parameter(v.data<const T>(), rank > 1 ? v.stride(0) : 0, rank > 0 ? v.stride(rank - 1) : 0);
    }
  }

 private:
  std::vector<nanobind::object> held_;
};

void bind_tensor_layers(nanobind::module_& m);
void bind_tensor_scan(nanobind::module_& m);

}  // namespace recurra
