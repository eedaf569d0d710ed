// torch's tensors, read and made without torch's headers: through the C functions that DLPack lets a library offer.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <type_traits>

namespace recurra {

enum class Dtype { float32, float64, int64, boolean };

template <class T>
constexpr Dtype dtype_of = std::is_same_v<T, double>         ? Dtype::float64
                           : std::is_same_v<T, float>        ? Dtype::float32
                           : std::is_same_v<T, std::int64_t> ? Dtype::int64
                                                             : Dtype::boolean;

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
  bool has_contiguous_features() const { return rank() == 0 || size(rank() - 1) <= 1 || stride(rank() - 1) == 1; }
  // Whether all elements lie one after the other, the last dimension's first.
  bool is_contiguous() const;
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
  }
};

// Of a tensor: whether it is a plain one of torch's (no subclass but Parameter, on the CPU, dense, of this dtype), and
// what it is.
bool view(nanobind::handle tensor, Dtype dtype, View& found);
// The same; throws std::invalid_argument, with the argument's name, where it is not plain.
View view(nanobind::handle tensor, Dtype dtype, const char* name);
bool requires_gradient(nanobind::handle tensor);
// A new contiguous tensor of float32 or float64.
nanobind::object empty(const std::int64_t* shape, std::size_t count, Dtype dtype);

// A new tensor with its memory.
template <class T>
struct NewTensor {
  NewTensor(const std::int64_t* shape, std::size_t count) : tensor(empty(shape, count, dtype_of<T>)) {
    const View made = view(tensor, dtype_of<T>, "a new tensor");
    // A mode of torch may have made another.
    if (!made.has_shape(shape, count) || !made.is_contiguous())
      throw std::invalid_argument("torch.empty gave another tensor");
    data = made.data<T>();
  }
  NewTensor(std::initializer_list<std::int64_t> shape) : NewTensor(shape.begin(), shape.size()) {}

  nanobind::object tensor;
  T* data;
};

nanobind::object contiguous(nanobind::handle tensor);

void bind_torch_tensors(nanobind::module_& m);

}  // namespace recurra
