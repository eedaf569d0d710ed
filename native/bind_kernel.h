// The Python class recurra._native.Kernel: code made executable.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "executor.h"

namespace recurra {

// A kernel of any dtype: the base of TypedKernel.
class AnyKernel {
 public:
  using Words = std::vector<std::int64_t>;
  virtual ~AnyKernel() = default;
  virtual void run(const Words& words, const nanobind::object& prepared) const = 0;
  virtual nanobind::object prepare(const Words& words, bool compact) const = 0;
};

template <class T>
struct Prepared {
  std::uint64_t owner;  // the kernel's number, as a new kernel may get an old address
  std::unique_ptr<Constants<T>> constants;

  std::size_t bytes() const { return constants->values.bytes() + constants->matrices.bytes(); }
};

template <class T>
class TypedKernel : public AnyKernel {
 public:
  TypedKernel(Code code, const Routines<T>& routines);
  const Executor<T>& executor() const { return executor_; }
  void run(const Words& words, const nanobind::object& prepared) const override;
  nanobind::object prepare(const Words& words, bool compact) const override;
  // The call of these words; throws std::invalid_argument if they are none.
  Call<T> call_of(const Words& words) const;
  // Throws std::invalid_argument if the weights were not prepared for this kernel.
  const Constants<T>* constants_of(const nanobind::object& prepared) const;

 private:
  Executor<T> executor_;
  const std::uint64_t number_;
};

extern template class TypedKernel<float>;
extern template class TypedKernel<double>;

// Binds the enumerations of code: operations, spaces, kinds of instructions.
void bind_code(nanobind::module_& m);
void bind_kernel(nanobind::module_& m);

// The kernels of an instruction set; of the one in use, if the name is empty. Throws std::invalid_argument if this
// machine does not run it.
const Kernels& kernels_of(const std::string& isa);

}  // namespace recurra
