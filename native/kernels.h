// What an instruction set offers: one table of facts and function pointers, filled by native/targets/<isa>.cpp.
#pragma once

#include <cstddef>

namespace recurra {

struct Kernels {
  const char* name;   // the target's name, as RECURRA_ISA spells it
  std::size_t lanes;  // floats in one vector

  // Sum of a[i] * b[i] over n floats, both of any alignment; they may be the same array. Lane l of one vector sums the
  // products at i = l, l + lanes, …; then the lanes are added in ascending order. So the rounding shows which target ran.
  float (*dot)(const float* a, const float* b, std::size_t n);
};

}  // namespace recurra
