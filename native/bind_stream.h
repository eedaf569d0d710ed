// The Python class recurra._native.Stream: runs scans in a row, one step at a time, and holds their states.
#pragma once

#include <nanobind/nanobind.h>

namespace recurra {

void bind_stream(nanobind::module_& m);

}  // namespace recurra
