// torch's tensors, read and made without torch's headers: through the C functions that DLPack lets a library offer.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <initializer_list>

namespace recurra {

// The layout is DLPack's, version 1.
struct DLTensor {
  void* data;
  struct {
    std::int32_t type, id;
  } device;
  std::int32_t ndim;
  struct {
    std::uint8_t code, bits;
    std::uint16_t lanes;
  } dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};

// What a tensor is, as long as it lives and nobody resizes it.
struct View {
  DLTensor tensor;

  int rank() const { return tensor.ndim; }
  std::int64_t size(int dimension) const { return tensor.shape[dimension]; }
  std::int64_t stride(int dimension) const { return tensor.strides[dimension]; }
  bool has_shape(const std::int64_t* sizes, std::size_t count) const;
  // Whether the last dimension's elements lie next to each other.
  bool is_even() const { return size(rank() - 1) <= 1 || stride(rank() - 1) == 1; }
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
  }
};

// Of a tensor: whether it is a plain one of torch's (no subclass but Parameter, on the CPU, dense, of this dtype), and what it is.
bool view(nanobind::handle tensor, bool is_double, View& found);
// The same; throws std::invalid_argument where it is not plain.
View view(nanobind::handle tensor, bool is_double);
bool requires_gradient(nanobind::handle tensor);
nanobind::object empty(std::initializer_list<std::int64_t> shape, bool is_double);
nanobind::object empty(const std::int64_t* shape, std::size_t count, bool is_double);
nanobind::object contiguous(nanobind::handle tensor);

void bind_torch_tensors(nanobind::module_& m);

}  // namespace recurra
