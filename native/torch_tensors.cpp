#include "torch_tensors.h"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace nb = nanobind;

namespace recurra {
namespace {

// DLPack's table of functions; those that are not called here have no type.
struct ExchangeFunctions {
  std::uint32_t major, minor;
  ExchangeFunctions* older;
  void *allocate, *from_object, *to_object;
  int (*view)(void* object, DLTensor* found);
  void* stream;
};

constexpr std::size_t max_rank = 8;
constexpr std::int32_t on_cpu = 1;

// DLPack's code and bits of each Dtype, and its name in messages.
struct DtypeFacts {
  std::uint8_t code, bits;
  const char* name;
};
constexpr DtypeFacts dtype_facts[] = {{2, 32, "float32"}, {2, 64, "float64"}, {0, 64, "int64"}, {6, 8, "bool"}};

const DtypeFacts& facts_of(Dtype dtype) { return dtype_facts[static_cast<std::size_t>(dtype)]; }

// The objects that torch has passed; they live as long as the process.
struct Torch {
  const ExchangeFunctions* functions = nullptr;
  PyObject *tensor = nullptr, *parameter = nullptr, *empty = nullptr, *cpu = nullptr;
  PyObject *default_dtype = nullptr, *modes = nullptr;
  PyObject* dtypes[2] = {nullptr, nullptr};
  PyObject *is_neg = nullptr, *requires_grad = nullptr, *contiguous = nullptr, *keywords = nullptr;
} torch;

bool adopt(nb::handle capsule, nb::handle tensor, nb::handle parameter, nb::handle empty, nb::handle float32,
           nb::handle float64, nb::handle cpu, nb::handle default_dtype, nb::handle modes) {
  auto* functions = static_cast<const ExchangeFunctions*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (functions == nullptr) {
    PyErr_Clear();
    return false;
  }
  if (functions->major != 1 || functions->view == nullptr) return false;
  torch.functions = functions;
  torch.tensor = tensor.inc_ref().ptr();
  torch.parameter = parameter.inc_ref().ptr();
  torch.empty = empty.inc_ref().ptr();
  torch.dtypes[0] = float32.inc_ref().ptr();
  torch.dtypes[1] = float64.inc_ref().ptr();
  torch.cpu = cpu.inc_ref().ptr();
  torch.default_dtype = default_dtype.inc_ref().ptr();
  torch.modes = modes.inc_ref().ptr();
  torch.is_neg = PyUnicode_InternFromString("is_neg");
  torch.requires_grad = PyUnicode_InternFromString("requires_grad");
  torch.contiguous = PyUnicode_InternFromString("contiguous");
  torch.keywords = Py_BuildValue("(ss)", "dtype", "device");
  return true;
}

nb::object stolen(PyObject* made) {
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

nb::object call_method(nb::handle object, PyObject* name) {
  PyObject* arguments[] = {object.ptr()};
  return stolen(PyObject_VectorcallMethod(name, arguments, 1, nullptr));
}

}  // namespace

bool View::has_shape(const std::int64_t* sizes, std::size_t count) const {
  if (tensor.ndim != static_cast<std::int32_t>(count)) return false;
  for (std::size_t n = 0; n < count; ++n) {
    if (tensor.shape[n] != sizes[n]) return false;
  }
  return true;
}

bool View::is_contiguous() const {
  std::int64_t dense = 1;
  for (int n = rank() - 1; n >= 0; --n) {
    if (size(n) == 0) return true;
    if (size(n) > 1 && stride(n) != dense) return false;
    dense *= size(n);
  }
  return true;
}

bool view(nb::handle object, Dtype dtype, View& found) {
  auto* type = reinterpret_cast<PyObject*>(Py_TYPE(object.ptr()));
  if ((type != torch.tensor && type != torch.parameter) || torch.functions == nullptr) return false;
  if (torch.functions->view(object.ptr(), &found.tensor) != 0) {
    PyErr_Clear();  // sparse, on no device …
    return false;
  }
  const DLTensor& t = found.tensor;
  const DtypeFacts& facts = facts_of(dtype);
  if (t.device.type != on_cpu || t.dtype.code != facts.code || t.dtype.lanes != 1 || t.dtype.bits != facts.bits)
    return false;
  if (t.data == nullptr) {  // no elements, or a storage that was emptied
    for (std::int32_t n = 0; n < t.ndim; ++n) {
      if (t.shape[n] == 0) return true;
    }
    return false;
  }
  // DLPack does not tell that torch negates a view (of an imaginary part) when it is read.
  const nb::object negated = call_method(object, torch.is_neg);
  return negated.ptr() == Py_False;
}

View view(nb::handle object, Dtype dtype, const char* name) {
  View found;
  if (!view(object, dtype, found)) {
    throw std::invalid_argument(std::string(name) + " must be a plain tensor of torch, " + facts_of(dtype).name +
                                " on the CPU, with its elements in memory");
  }
  return found;
}

bool requires_gradient(nb::handle object) {
  return stolen(PyObject_GetAttr(object.ptr(), torch.requires_grad)).ptr() == Py_True;
}

nb::object empty(const std::int64_t* shape, std::size_t count, Dtype dtype) {
  PyObject* arguments[max_rank + 2];
  if (count > max_rank) throw std::invalid_argument("too many dimensions");
  PyObject* wanted = torch.dtypes[static_cast<std::size_t>(dtype)];
  std::vector<nb::object> held;
  if (count == 0) {  // for a number, torch must be told that it has no sizes
    held.push_back(stolen(PyTuple_New(0)));
    arguments[count++] = held.back().ptr();
  } else {
    for (std::size_t n = 0; n < count; ++n) {
      held.push_back(stolen(PyLong_FromLongLong(shape[n])));
      arguments[n] = held.back().ptr();
    }
  }
  // With sizes alone, torch takes its defaults, and is faster. They are right unless a mode changes them.
  const nb::object usual = stolen(PyObject_CallNoArgs(torch.default_dtype));
  const nb::object modes = stolen(PyObject_CallNoArgs(torch.modes));
  if (usual.ptr() == wanted && PyLong_AsLong(modes.ptr()) == 0) {
    return stolen(PyObject_Vectorcall(torch.empty, arguments, count, nullptr));
  }
  arguments[count] = wanted;
  arguments[count + 1] = torch.cpu;
  return stolen(PyObject_Vectorcall(torch.empty, arguments, count, torch.keywords));
}

nb::object contiguous(nb::handle object) { return call_method(object, torch.contiguous); }

void bind_torch_tensors(nb::module_& m) {
  m.def(
      "adopt_torch", &adopt, nb::arg("functions"), nb::arg("tensor"), nb::arg("parameter"), nb::arg("empty"),
      nb::arg("float32"), nb::arg("float64"), nb::arg("cpu"), nb::arg("default_dtype"), nb::arg("modes"),
      "Learn how to read and make torch's tensors.\n\n"
      "Takes torch.Tensor.__dlpack_c_exchange_api__, torch's classes Tensor and Parameter, its function empty, two\n"
      "dtypes, the CPU's device, and the functions that tell the default dtype and how many function modes there are.\n"
      "Returns whether this version of the functions is known.");
}

}  // namespace recurra
