// Instruction sets: those that were built, those that this CPU runs, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace recurra {

// A feature of the CPU that a target may need, by the compilers' name, and whether CPU and operating system have it.
struct Feature {
  const char* name;
  bool found;
};

const std::vector<Feature>& cpu_features();

std::vector<const Kernels*> built_kernels();      // all that were built, the fastest first
std::vector<const Kernels*> supported_kernels();  // those that this CPU runs, the fastest first

// A choice of kernels, and a line for each instruction set that computed something else than its contract (probe.h).
struct Choice {
  const Kernels& kernels;
  std::vector<std::string> faults;
};

// The first of these kernels that keep their contract; the last, if none does.
Choice first_sound(const std::vector<const Kernels*>& candidates);

// The kernels that this process uses: the fastest supported ones that keep their contract, or those that RECURRA_ISA
// names. The first successful call settles the choice for the life of the process, because packed weights depend on it.
// Throws std::invalid_argument if RECURRA_ISA does not name a supported instruction set.
const Choice& active_choice();
inline const Kernels& active_kernels() { return active_choice().kernels; }

}  // namespace recurra
