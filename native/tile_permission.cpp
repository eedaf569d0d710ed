#include "tile_permission.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace recurra {

#if defined(__x86_64__) && defined(__linux__)

namespace {

// Bits of EDX in leaf 7 of CPUID.
constexpr unsigned bf16_tiles = 1u << 22, tiles = 1u << 24, byte_tiles = 1u << 25;
// Bits of XCR0: the operating system saves the tiles' configuration, and the tiles.
constexpr unsigned saved_tiles = 3u << 17;
constexpr unsigned os_tells_what_it_saves = 1u << 27;  // OSXSAVE, a bit of ECX in leaf 1

bool has(unsigned bit) {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & bit) != 0;
}

bool saves_tiles() {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & os_tells_what_it_saves) == 0) return false;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & saved_tiles) == saved_tiles;
}

// Linux gives the memory for tiles only to processes that ask for it.
bool is_permitted() {
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

}  // namespace

bool has_bf16_tiles() { return has(bf16_tiles); }
bool has_byte_tiles() { return has(byte_tiles); }

bool may_use_tiles() {
  static const bool answer = has(tiles) && saves_tiles() && is_permitted();
  return answer;
}

#else

bool has_bf16_tiles() { return false; }
bool has_byte_tiles() { return false; }
bool may_use_tiles() { return false; }

#endif

}  // namespace recurra
