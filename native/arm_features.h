// Extensions of 64-bit ARM: whether the processor has them, as the operating system says.
#pragma once

#include <cstdint>

namespace recurra {

enum class ArmFeature : std::uint8_t {
  dotprod,  // dot products of bytes of the same sign
  bf16,     // products of bfloat16
  i8mm      // dot products of bytes of different signs
};

// On other processors, and under other operating systems than Linux and macOS, the answer is no.
bool has_arm_feature(ArmFeature feature);

}  // namespace recurra
