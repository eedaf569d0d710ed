// The Python class recurra._native.Training: one scan's forward and backward pass, as torch's autograd calls them.
#pragma once

#include <nanobind/nanobind.h>

namespace recurra {

void bind_training(nanobind::module_& m);

}  // namespace recurra
