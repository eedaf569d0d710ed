// The processor's mode for numbers that are too small to be normal.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace recurra {

// While it lives, this thread's operations take subnormal numbers for zeros, and make zeros of subnormal results: some
// processors take a hundred times as long for them. Then the thread's mode is what it was.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(mode()) { set(before_ | flush); }
  ~FlushSubnormals() { set(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__x86_64__)
  using Mode = unsigned;
  static constexpr Mode flush = 0x8040;  // FTZ, of results, and DAZ, of what goes in
  static Mode mode() { return _mm_getcsr(); }
  static void set(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Mode = std::uint64_t;
  static constexpr Mode flush = 1 << 24;  // FZ, of both
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
