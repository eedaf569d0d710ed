// The cross-entropy of a linear map to many classes, and its gradients.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"
#include "memory.h"

namespace recurra {

// Logits are hidden @ weight.T + bias. All arrays are contiguous.
template <class T>
struct LinearNats {
  std::int64_t rows, features, classes;
  const T* hidden;              // (rows, features)
  const T* weight;              // (classes, features)
  const T* bias;                // (classes); null: zeros
  const std::int64_t* targets;  // (rows), from 0 to classes - 1

  // Gradients of the sum of the cross-entropies; contiguous; null: not wanted.
  T* of_hidden;
  T* of_weight;
  T* of_bias;
};

// Returns the sum of the rows' cross-entropies in nats, and writes the gradients that are wanted. Probabilities lie in
// `memory`, for as many rows at a time as `most_bytes` hold. Results do not depend on the number of threads.
template <class T>
double linear_nats(const LinearNats<T>& problem, std::size_t most_bytes, int threads, Arena& memory,
                   const Routines<T>& routines);

}  // namespace recurra
