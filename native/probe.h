// The probe of an instruction set's kernels: small products beside the same in plain C++.
#pragma once

#include <string>

#include "kernels.h"

namespace recurra {

// The products in which the kernels differ from their contract (docs/numerics.md) on this machine, in words; empty if
// they keep it. It takes less than a millisecond.
std::string fault_of(const Kernels& kernels);

}  // namespace recurra
