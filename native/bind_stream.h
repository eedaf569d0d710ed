// The Python class recurra._native.Stream: scans one after the other, one step at a time, with their states inside.
#pragma once

#include <nanobind/nanobind.h>

namespace recurra {

void bind_stream(nanobind::module_& m);

}  // namespace recurra
