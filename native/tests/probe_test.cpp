// Chooses kernels where some compute something else than their contract: the last bit of one number differs.
#include <cmath>
#include <cstdio>

#include "dispatch.h"

namespace {

using recurra::Kernels;

const Kernels& right() { return *recurra::supported_kernels().back(); }

template <const recurra::Routines<float> Kernels::* routines>
void multiply(const float* const* a, std::size_t rows, std::size_t k, const recurra::Packed<float>& matrix,
              const recurra::Column<float>* columns, std::size_t vectors) {
  (right().*routines).multiply(a, rows, k, matrix, columns, vectors);
  columns[vectors - 1].out[0] = std::nextafter(columns[vectors - 1].out[0], 1e9f);
}

void outer(float* c, std::ptrdiff_t c_stride, const float* const* a, const float* const* b, std::size_t rows,
           std::size_t k, std::size_t vectors, bool more) {
  right().bf16.outer(c, c_stride, a, b, rows, k, vectors, more);
  c[1] = std::nextafter(c[1], 1e9f);
}

Kernels without(const char* name) {
  Kernels kernels = right();
  kernels.name = name;
  return kernels;
}

void choose(const std::vector<const Kernels*>& candidates) {
  const recurra::Choice choice = recurra::first_sound(candidates);
  std::printf("%s\n", choice.kernels.name);
  for (const std::string& fault : choice.faults) std::printf("- %s\n", fault.c_str());
}

}  // namespace

int main() {
  Kernels wide = without("wide"), narrow = without("narrow"), sums = without("sums"), order = without("order"),
          whole = without("whole");
  wide.f32.multiply = multiply<&Kernels::f32>;
  narrow.bf16.multiply = multiply<&Kernels::bf16>;
  sums.bf16.outer = outer;
  whole.int8.multiply = multiply<&Kernels::int8>;
  order.bf16_order = recurra::Bf16Order::blocks;
  choose(recurra::supported_kernels());
  choose({&wide, &narrow, &whole, &sums, &order, &right()});
  choose({&narrow});
}
