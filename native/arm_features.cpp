#include "arm_features.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#endif

namespace recurra {

#if defined(__aarch64__) && defined(__linux__)

bool has_arm_feature(ArmFeature feature) {
  // Bits of Linux's hwcap.h; older headers lack the last two.
  constexpr unsigned long dotprod = 1ul << 20, i8mm = 1ul << 13, bf16 = 1ul << 14;
  switch (feature) {
    case ArmFeature::dotprod: return (getauxval(AT_HWCAP) & dotprod) != 0;
    case ArmFeature::bf16: return (getauxval(AT_HWCAP2) & bf16) != 0;
    case ArmFeature::i8mm: return (getauxval(AT_HWCAP2) & i8mm) != 0;
  }
  return false;
}

#elif defined(__aarch64__) && defined(__APPLE__)

namespace {

const char* name_of(ArmFeature feature) {
  switch (feature) {
    case ArmFeature::dotprod: return "hw.optional.arm.FEAT_DotProd";
    case ArmFeature::bf16: return "hw.optional.arm.FEAT_BF16";
    case ArmFeature::i8mm: return "hw.optional.arm.FEAT_I8MM";
  }
  return "";
}

}  // namespace

bool has_arm_feature(ArmFeature feature) {
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(name_of(feature), &value, &size, nullptr, 0) == 0 && value != 0;
}

#else

bool has_arm_feature(ArmFeature) { return false; }

#endif

}  // namespace recurra
