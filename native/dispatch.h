// Which instruction sets there are, which of them this CPU runs, and which one is in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace recurra {

// A feature of the CPU that a target may need, by the name that compilers use, and whether CPU and system have it.
struct Feature {
  const char* name;
  bool found;
};

const std::vector<Feature>& cpu_features();

std::vector<const Kernels*> built_kernels();      // all that were compiled in, the fastest first
std::vector<const Kernels*> supported_kernels();  // those of them that this CPU runs, the fastest first

// The kernels that this process uses: the fastest supported, or those that RECURRA_ISA names. The first successful call
// settles it for the life of the process, because packed weights depend on it. Throws std::invalid_argument where
// RECURRA_ISA names something else than a supported one.
const Kernels& active_kernels();

}  // namespace recurra
