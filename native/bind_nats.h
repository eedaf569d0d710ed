// The Python function linear_nats and its class Memory (bind_nats.cpp).
#pragma once

#include <nanobind/nanobind.h>

namespace recurra {

void bind_nats(nanobind::module_& m);

}  // namespace recurra
