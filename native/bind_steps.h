// The Python classes Step and Steps: a settled graph's native part.
#pragma once

#include <nanobind/nanobind.h>

namespace recurra {

void bind_steps(nanobind::module_& m);

}  // namespace recurra
