// The kernels, written once with the compiler's vector extensions. Each file in targets/ includes this one after it has
// defined RECURRA_LANES. Everything is in an unnamed namespace, and nothing comes from std:: (README.md says why).
#include "kernels.h"

namespace recurra {
namespace {

constexpr std::size_t lanes = RECURRA_LANES;
typedef float Vector __attribute__((vector_size(RECURRA_LANES * sizeof(float))));

// The first n floats at p, and zeros in the lanes behind them.
inline Vector load(const float* p, std::size_t n = lanes) {
  Vector v = {};
  __builtin_memcpy(&v, p, n * sizeof(float));
  return v;
}

float dot(const float* a, const float* b, std::size_t n) {
  Vector sums = {};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) sums += load(a + i) * load(b + i);
  if (i < n) sums += load(a + i, n - i) * load(b + i, n - i);
  float sum = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) sum += sums[lane];
  return sum;
}

}  // namespace
}  // namespace recurra
