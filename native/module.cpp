// The Python module recurra._native: checks arguments, then calls the active kernels without the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "bind_kernel.h"
#include "bind_nats.h"
#include "bind_steps.h"
#include "bind_stream.h"
#include "bind_tensors.h"
#include "dispatch.h"
#include "pool.h"
#include "torch_tensors.h"

namespace nb = nanobind;

namespace recurra {
namespace {

std::vector<std::string> names(const std::vector<const Kernels*>& kernels) {
  std::vector<std::string> result;
  for (const Kernels* k : kernels) result.push_back(k->name);
  return result;
}

std::vector<std::string> fast_products(const Kernels& kernels) {
  std::vector<std::string> all{"float32"};
  if (kernels.has_bf16) all.push_back("bfloat16");
  for (const char* whole : {"int8", "uint8"}) all.push_back(whole);  // four in a word: faster everywhere
  return all;
}

nb::dict cpu() {
#if defined(__x86_64__)
  const char* architecture = "x86_64";
#elif defined(__aarch64__)
  const char* architecture = "aarch64";
#else
  const char* architecture = "other";
#endif
  nb::list features;
  for (const Feature& feature : cpu_features()) {
    if (feature.found) features.append(feature.name);
  }
  nb::dict result;
  result["architecture"] = architecture;
  result["features"] = features;
  return result;
}

int hardware_threads() {
#ifdef __linux__
  cpu_set_t allowed;  // the processors that taskset, a container or a batch system left to this process
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? static_cast<int>(count) : 1;
}

std::string compiler() {
#ifdef __clang__
  return std::string("Clang ") + __clang_version__;
#else
  return std::string("GCC ") + __VERSION__;
#endif
}

using Array = nb::ndarray<nb::ro, nb::device::cpu>;

// The floats of a one-dimensional array, or an exception that names the function, the argument and what is wrong.
const float* floats(const Array& array, const std::string& argument) {
  if (array.dtype() != nb::dtype<float>()) throw nb::type_error((argument + " must be float32").c_str());
  if (array.ndim() != 1) {
    throw nb::value_error((argument + " must have 1 dimension; got " + std::to_string(array.ndim())).c_str());
  }
  if (array.shape(0) > 1 && array.stride(0) != 1) {
    throw nb::value_error((argument + " must be contiguous (numpy.ascontiguousarray makes it so); got a stride of " +
                           std::to_string(array.stride(0)) + " elements")
                              .c_str());
  }
  const void* data = array.data();
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0) {
    throw nb::value_error((argument + " must be aligned to 4 bytes").c_str());
  }
  return static_cast<const float*>(data);
}

float dot(const Array& a, const Array& b) {
  const float* left = floats(a, "dot: a");
  const float* right = floats(b, "dot: b");
  const std::size_t n = a.shape(0);
  if (b.shape(0) != n) {
    throw nb::value_error(
        ("dot: a and b must have the same length; got " + std::to_string(n) + " and " + std::to_string(b.shape(0)))
            .c_str());
  }
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release unlocked;
  return kernels.dot(left, right, n);
}

}  // namespace
}  // namespace recurra

NB_MODULE(_native, m) {
  using namespace recurra;
  bind_code(m);
  bind_kernel(m);
  bind_torch_tensors(m);
  bind_tensor_layers(m);
  bind_tensor_scan(m);
  bind_stream(m);
  bind_steps(m);
  bind_integers(m);
  bind_bytes(m);
  bind_nats(m);
  nb::set_leak_warnings(false);  // a process that ends early may leave kernels behind, which does no harm
  m.doc() = "The native engine's kernels, and what this machine offers them.";
  m.def(
      "built_isas", [] { return names(built_kernels()); },
      "The instruction sets that this module was built for, the fastest first.");
  m.def(
      "supported_isas", [] { return names(supported_kernels()); },
      "Those of built_isas() that this machine runs, the fastest first.");
  m.def(
      "active_isa", [] { return std::string(active_kernels().name); },
      "The instruction set in use. RECURRA_ISA forces one; the first use settles it for the process.\n\n"
      "Raises ValueError where RECURRA_ISA names none that this machine runs.");
  m.def(
      "fast_products", [] { return fast_products(active_kernels()); },
      "The operands of products that active_isa() has instructions for: 'float32', 'bfloat16', 'int8',\n"
      "'uint8'.");
  m.def(
      "faults", [] { return active_choice().faults; },
      "A line for each instruction set that was not chosen, or was forced, although its kernels compute something\n"
      "else than their contract on this machine; see native/probe.h.");
  m.def(
      "copies_strands", [] { return active_kernels().copies_strands; },
      "Whether weight gradients copy the rows that they add up to where these lie densely.");
  m.def("lanes", [] { return active_kernels().lanes; }, "How many float32 values one vector of active_isa() holds.");
  m.def("cpu", &cpu, "This machine's CPU: its 'architecture', and the 'features' that kernels may need and it has.");
  m.def("hardware_threads", &hardware_threads, "How many CPUs this process may run on.");
  m.def("join_openmp", &join_openmp,
        "From now on run on the threads of the OpenMP runtime that another library, such as torch, has loaded.\n\n"
        "Returns whether there is one. Without it, and in forked children, threads are the module's own.");
  m.def("compiler", &compiler, "The compiler that built this module, with its version.");
  m.def("dot", &dot, nb::arg("a"), nb::arg("b"),
        "The dot product of two contiguous float32 arrays of shape (n,), computed by active_isa()'s kernel.");
}
