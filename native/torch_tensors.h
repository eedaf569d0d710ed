// Reads and makes torch's tensors without torch's headers, through the C functions that torch offers by DLPack.
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

// The memory, shape and strides of a tensor; valid while it lives and nobody resizes it.
struct View {
  DLTensor tensor;

  int rank() const { return tensor.ndim; }
  std::int64_t size(int dimension) const { return tensor.shape[dimension]; }
  std::int64_t stride(int dimension) const { return tensor.strides[dimension]; }
  bool has_shape(const std::int64_t* sizes, std::size_t count) const;
  // Whether the last dimension is contiguous.
  bool has_contiguous_features() const { return rank() == 0 || size(rank() - 1) <= 1 || stride(rank() - 1) == 1; }
  // Whether all dimensions are contiguous, in row-major order.
  bool is_contiguous() const;
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
  }
};

// Sets the view of a tensor. Returns whether the tensor is plain: no subclass but Parameter, on the CPU, dense, of this
// dtype.
bool view(nanobind::handle tensor, Dtype dtype, View& found);
// Returns the view of a tensor; throws std::invalid_argument with the argument's name if it is not plain.
View view(nanobind::handle tensor, Dtype dtype, const char* name);
bool requires_gradient(nanobind::handle tensor);
// Makes a contiguous tensor of float32 or float64.
nanobind::object empty(const std::int64_t* shape, std::size_t count, Dtype dtype);

// A new tensor and its memory.
template <class T>
struct NewTensor {
  NewTensor(const std::int64_t* shape, std::size_t count) : tensor(empty(shape, count, dtype_of<T>)) {
    const View made = view(tensor, dtype_of<T>, "a new tensor");
    // A mode of torch may have made a different tensor.
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
