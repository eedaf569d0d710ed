// The Python class recurra._native.Inference: a layer's whole call without gradients.
#pragma once

#include <nanobind/nanobind.h>

namespace recurra {

void bind_inference(nanobind::module_& m);

}  // namespace recurra
