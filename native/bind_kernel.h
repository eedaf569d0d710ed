// The Python class recurra._native.Kernel: code made executable.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

namespace recurra {

void bind_kernel(nanobind::module_& m);
std::vector<std::string> operation_names();

}  // namespace recurra
