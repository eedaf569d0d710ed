#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>

#include "arm_features.h"
#include "probe.h"
#include "tile_permission.h"

namespace recurra {

// The targets that CMakeLists.txt has built.
#ifdef RECURRA_HAS_AMX_BF16
extern const Kernels kernels_amx_bf16;
#endif
#ifdef RECURRA_HAS_AVX512_BF16
extern const Kernels kernels_avx512_bf16;
#endif
#ifdef RECURRA_HAS_AVX512_VNNI
extern const Kernels kernels_avx512_vnni;
#endif
#ifdef RECURRA_HAS_AVX512
extern const Kernels kernels_avx512;
#endif
#ifdef RECURRA_HAS_AVX_VNNI
extern const Kernels kernels_avx_vnni;
#endif
#ifdef RECURRA_HAS_AVX2
extern const Kernels kernels_avx2;
#endif
#ifdef RECURRA_HAS_AMX_EMULATED
extern const Kernels kernels_amx_emulated;
#endif
#ifdef RECURRA_HAS_NEON_BF16
extern const Kernels kernels_neon_bf16;
#endif
#ifdef RECURRA_HAS_NEON_DOT
extern const Kernels kernels_neon_dot;
#endif
#ifdef RECURRA_HAS_NEON
extern const Kernels kernels_neon;
#endif
#ifdef RECURRA_HAS_PORTABLE
extern const Kernels kernels_portable;
#endif

namespace {

struct Target {
  const Kernels& kernels;
  std::vector<std::string> needs;  // names of cpu_features()
};

// In order of preference; the last runs on every CPU that the module is built for.
const std::vector<Target>& targets() {
  static const std::vector<Target> list = {
#ifdef RECURRA_HAS_AMX_BF16
      {kernels_amx_bf16,
       {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512bf16", "avx512vnni", "fma", "amx-tile", "amx-bf16",
        "amx-int8"}},
#endif
#ifdef RECURRA_HAS_AVX512_BF16
      {kernels_avx512_bf16, {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512bf16", "avx512vnni", "fma"}},
#endif
#ifdef RECURRA_HAS_AVX512_VNNI
      {kernels_avx512_vnni, {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512vnni", "fma"}},
#endif
#ifdef RECURRA_HAS_AVX512
      {kernels_avx512, {"avx512f", "avx512dq", "avx512bw", "avx512vl", "fma"}},
#endif
#ifdef RECURRA_HAS_AVX_VNNI
      {kernels_avx_vnni, {"avx2", "fma", "avxvnni"}},
#endif
#ifdef RECURRA_HAS_AVX2
      {kernels_avx2, {"avx2", "fma"}},
#endif
#ifdef RECURRA_HAS_AMX_EMULATED
      {kernels_amx_emulated, {"avx2", "fma"}},  // behind AVX2: for tests, which name it
#endif
#ifdef RECURRA_HAS_NEON_BF16
      {kernels_neon_bf16, {"neon", "dotprod", "bf16", "i8mm"}},
#endif
#ifdef RECURRA_HAS_NEON_DOT
      {kernels_neon_dot, {"neon", "dotprod"}},
#endif
#ifdef RECURRA_HAS_NEON
      {kernels_neon, {"neon"}},
#endif
#ifdef RECURRA_HAS_PORTABLE
      {kernels_portable, {}},
#endif
  };
  return list;
}

std::vector<std::string> missing(const Target& target) {
  std::vector<std::string> names;
  for (const std::string& need : target.needs) {
    bool found = false;
    for (const Feature& feature : cpu_features()) found |= feature.found && feature.name == need;
    if (!found) names.push_back(need);
  }
  return names;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Choice choose() {
  const char* asked = std::getenv("RECURRA_ISA");
  if (asked == nullptr || *asked == '\0') return first_sound(supported_kernels());
  const std::string isa = asked;
  std::string reason = "this build has no such instruction set";
  std::vector<std::string> choices;
  for (const Target& target : targets()) {
    const std::vector<std::string> lacking = missing(target);
    if (target.kernels.name == isa) {
      if (lacking.empty()) return first_sound({&target.kernels});
      reason = "this machine lacks " + join(lacking);
    }
    if (lacking.empty()) choices.push_back(target.kernels.name);
  }
  throw std::invalid_argument("RECURRA_ISA='" + isa + "': " + reason +
                              "; unset it, or set it to one of: " + join(choices));
}

}  // namespace

const std::vector<Feature>& cpu_features() {
  static const std::vector<Feature> features = [] {
#if defined(__x86_64__) || defined(__i386__)
    // These answers take the operating system into account: whether it saves the wide registers.
    __builtin_cpu_init();
    const bool has_tiles = __builtin_cpu_supports("avx512bf16") != 0 && may_use_tiles();  // no use asking without
#define RECURRA_FEATURE(name) {name, __builtin_cpu_supports(name) != 0}
    return std::vector<Feature>{
        RECURRA_FEATURE("sse2"),
        RECURRA_FEATURE("avx"),
        RECURRA_FEATURE("avx2"),
        RECURRA_FEATURE("fma"),
        RECURRA_FEATURE("avx512f"),
        RECURRA_FEATURE("avx512dq"),
        RECURRA_FEATURE("avx512bw"),
        RECURRA_FEATURE("avx512vl"),
        RECURRA_FEATURE("avx512bf16"),
        RECURRA_FEATURE("avx512vnni"),
        RECURRA_FEATURE("avxvnni"),
        {"amx-tile", has_tiles},
        {"amx-bf16", has_tiles && has_bf16_tiles()},
        {"amx-int8", has_tiles && has_byte_tiles()},
    };
#undef RECURRA_FEATURE
#elif defined(__aarch64__)
    return std::vector<Feature>{
        {"neon", true},  // part of the architecture
        {"dotprod", has_arm_feature(ArmFeature::dotprod)},
        {"bf16", has_arm_feature(ArmFeature::bf16)},
        {"i8mm", has_arm_feature(ArmFeature::i8mm)},
    };
#else
    return std::vector<Feature>{};
#endif
  }();
  return features;
}

std::vector<const Kernels*> built_kernels() {
  std::vector<const Kernels*> all;
  for (const Target& target : targets()) all.push_back(&target.kernels);
  return all;
}

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> supported;
  for (const Target& target : targets()) {
    if (missing(target).empty()) supported.push_back(&target.kernels);
  }
  return supported;
}

Choice first_sound(const std::vector<const Kernels*>& candidates) {
  std::vector<std::string> faults;
  for (const Kernels* kernels : candidates) {
    const std::string fault = fault_of(*kernels);
    const bool is_last = kernels == candidates.back();
    if (!fault.empty()) {
      faults.push_back(std::string(kernels->name) + " computes " + fault + " otherwise than it should on this machine" +
                       (is_last ? "" : "; the next instruction set is tried"));
    }
    if (fault.empty() || is_last) return {*kernels, faults};
  }
  throw std::invalid_argument("there are no instruction sets to choose from");
}

const Choice& active_choice() {
  static const Choice chosen = choose();  // an exception leaves it unset, and the next call tries again
  return chosen;
}

}  // namespace recurra
