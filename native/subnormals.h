// The processor's mode for subnormal numbers.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace recurra {

// While an object of this class lives, the thread's operations treat subnormal operands and results as zeros, as some
// processors take a hundred times as long for them. Afterwards the thread's former mode is restored.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(mode()) { set(before_ | flush); }
  ~FlushSubnormals() { set(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  using Mode = unsigned;
  static constexpr Mode flush = 0x8040;  // FTZ, for results, and DAZ, for operands
  static Mode mode() { return _mm_getcsr(); }
  static void set(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Mode = std::uint64_t;
  static constexpr Mode flush = 1 << 24;  // FZ, for both
  static Mode mode() {
    Mode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(Mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
  using Mode = int;
  static constexpr Mode flush = 0;
  static Mode mode() { return 0; }
  static void set(Mode) {}
#endif

  const Mode before_;
};

}  // namespace recurra
