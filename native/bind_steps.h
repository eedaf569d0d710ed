// The Python classes Step and Steps (bind_steps.cpp); steps of whole numbers (bind_integers.cpp) and bytes (bind_bytes.cpp).
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <vector>

#include "steps.h"

namespace recurra {

// A step, and the arrays and objects that it reads and writes.
struct Held {
  std::unique_ptr<Step> step;
  std::vector<nanobind::object> alive;
};

void bind_steps(nanobind::module_& m);
void bind_integers(nanobind::module_& m);
void bind_bytes(nanobind::module_& m);

}  // namespace recurra
