// Steps of a settled graph: each computes on arrays that stay where they are, again and again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.h"
#include "memory.h"
#include "pool.h"
#include "processors.h"
#include "subnormals.h"

namespace recurra {

class Step {
 public:
  virtual ~Step() = default;
  virtual void run() = 0;
  double work() const { return work_; }  // about the number of multiply-adds
  std::size_t bytes() const { return bytes_; }

 protected:
  double work_ = 0;
  std::size_t bytes_ = 0;  // memory of its own
};

// Runs f(begin, end) over ranges of 0 … count - 1, on helpers too if the work is worth them.
template <class F>
void split_work(int threads, double work, std::int64_t count, F f) {
  threads = std::min({threads, processors_allowed(), static_cast<int>(std::min<std::int64_t>(count, 64))});
  if (threads <= 1 || work < 150000) {
    const FlushSubnormals flush;
    f(std::int64_t{0}, count);
    return;
  }
  with_helpers(threads, [&](Team& team) {
    const FlushSubnormals flush;
    if (team.threads() == 1) return f(std::int64_t{0}, count);
    const auto pieces = static_cast<int>(std::min<std::int64_t>({count, 8 * threads, Team::most_pieces}));
    team.share(pieces, [&](int piece) {
      f(count * piece / pieces, count * (piece + 1) / pieces);
      return false;
    });
  });
}

// Memory for a piece of work, which this thread keeps.
template <class T>
T* scratch(std::size_t elements) {
  thread_local Arena arena;
  return arena.take<T>(elements + slack);
}

// Elementwise operations on a matrix, block by block. Values have numbers: first the arrays, then the literals, then
// temporaries. An array may be read, or be a result, which is written once.
template <class T>
class Chain {
 public:
  struct Array {
    T* data;
    std::ptrdiff_t row_stride;
    std::int32_t column_step;  // 1, or 0 where each row has one number
  };

  // words: operation, result, three operands (-1: none) for each operation. Throws std::invalid_argument if they are no
  // such operations.
  Chain(const std::vector<std::int64_t>& words, const std::vector<double>& literals, std::size_t arrays,
        const Routines<T>& routines);

  // Runs on rows × columns elements.
  void run(const Array* arrays, std::size_t rows, std::size_t columns) const;
  std::size_t operations() const { return ops_.size(); }
  // Whether array 1 is the ReLU of array 0, and nothing else happens.
  bool rectifies() const { return ops_.size() == 3 && ops_[1].op == Op::relu; }

 private:
  const Routines<T>& routines_;
  std::size_t arrays_, literals_, blocks_;
  std::vector<MicroOp> ops_;
  std::vector<T> literal_values_;  // each a whole vector
};

extern template class Chain<float>;
extern template class Chain<double>;

// A convolution or pooling over one or two dimensions; (images, channels, height, width), height 1 for one dimension.
struct Windows {
  std::int64_t images, channels, height, width, filters, groups;
  std::int64_t kernel[2], strides[2], dilations[2], before[2], after[2];

  std::int64_t padded(int axis) const { return (axis ? width : height) + before[axis] + after[axis]; }
  std::int64_t out(int axis) const {
    return (padded(axis) - (kernel[axis] - 1) * dilations[axis] - 1) / strides[axis] + 1;
  }
  bool has_padding() const { return before[0] || before[1] || after[0] || after[1]; }
  std::int64_t elements() const { return kernel[0] * kernel[1]; }
  // The same with one row for each plane, where windows see one element each.
  Windows as_long_rows() const;
  // Of each element of a window over `count` channels: its distance from the window's beginning in padded planes.
  std::vector<std::ptrdiff_t> offsets(std::int64_t count) const;
  // Throws std::invalid_argument if a size makes no window.
  void check() const;
};

// y = the cross-correlation of x with weights (filters, channels / groups, kernel…), plus a bias (null: zeros). Then the
// operations of `after` run, whose array 0 is the sum and whose array 1 is y; null: none.
template <class T>
std::unique_ptr<Step> convolution(const Windows& windows, const T* x, const T* weights, const T* bias, T* y,
                                  std::unique_ptr<Chain<T>> after, int threads, const Routines<T>& routines);

// y = the largest element of each window; or with counts, (positions), the sum divided by the counts.
template <class T>
std::unique_ptr<Step> pooling(const Windows& windows, const T* x, const T* counts, T* y, int threads,
                              const Routines<T>& routines);

// Copies an array; sizes in elements, strides in bytes. Throws std::invalid_argument if an element has no power of two
// up to 8 bytes.
std::unique_ptr<Step> copying(const void* from, void* to, const std::vector<std::int64_t>& sizes,
                              const std::vector<std::int64_t>& from_strides,
                              const std::vector<std::int64_t>& to_strides, std::int64_t item, int threads);

}  // namespace recurra
