// The cross-entropy of some rows: blocks of classes, and parts of them for threads. A part of nats.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "nats.h"
#include "packed_product.h"
#include "pool.h"

namespace recurra::nats {

constexpr std::size_t most_classes = 128, most_rows = 512;  // of a block, which the second-level cache holds
constexpr std::size_t most_parts = 32;  // of all blocks; each adds up a gradient of the rows of its own

// At least n elements, an odd number of cache lines: so rows do not push each other out of the first-level cache.
template <class T>
std::size_t row_of(std::size_t n) {
  constexpr std::size_t line = 64 / sizeof(T);
  return ((n + line - 1) / line | 1) * line;
}

// Replaces the numbers of each row by the exponentials of their differences to the row's largest.
template <class T>
class Exponentials {
 public:
  // `vectors` is a power of two; rows are `stride` apart.
  Exponentials(std::size_t vectors, std::size_t stride, const Routines<T>& routines)
      : vectors_(vectors), stride_(static_cast<std::ptrdiff_t>(stride)), r_(routines) {}

  // Of each row of x, a vector filled with the largest number goes to `most`, and one filled with the sum of the
  // exponentials to `sums`. `folded` is memory for half of each row.
  void run(T* x, std::size_t rows, T* most, T* sums, T* folded) const {
    const auto lanes = static_cast<std::ptrdiff_t>(r_.lanes);
    const std::ptrdiff_t folded_stride = static_cast<std::ptrdiff_t>(vectors_ / 2) * lanes;
    const T* from = x;
    std::ptrdiff_t stride = stride_;
    for (std::size_t half = vectors_ / 2; half > 0; half /= 2) {
      const Slot<T> slots[] = {slot(folded, folded_stride), slot(from, stride),
                               slot(from + static_cast<std::ptrdiff_t>(half) * lanes, stride)};
      const MicroOp larger{Op::maximum, 0, 1, 2, 0, 0};
      r_.elementwise(&larger, 1, slots, rows, half);
      from = folded, stride = folded_stride;
    }
    r_.reduce(Reduction::max, most, lanes, from, stride, rows, r_.lanes);
    // Where all are -inf, the difference to the largest would be no number.
    for (std::size_t i = 0; i < rows * r_.lanes; ++i) {
      if (most[i] < std::numeric_limits<T>::lowest()) most[i] = std::numeric_limits<T>::lowest();
    }
    const Slot<T> slots[] = {slot(x, stride_), {most, lanes, 0, 0}};
    const MicroOp exponential[] = {{Op::subtract, 0, 0, 1, 0, 0}, {Op::exp, 0, 0, 0, 0, 0}};
    r_.elementwise(exponential, 2, slots, rows, vectors_);
    r_.reduce(Reduction::sum, sums, lanes, x, stride_, rows, vectors_ * r_.lanes);
  }

 private:
  static Slot<T> slot(const T* base, std::ptrdiff_t stride) { return {const_cast<T*>(base), stride, 1, 0}; }

  const std::size_t vectors_;
  const std::ptrdiff_t stride_;
  const Routines<T>& r_;
};

// Some rows of a problem. Classes are cut into blocks, in which the logits of a row lie side by side, and blocks into
// parts, which threads take one by one.
template <class T>
class Rows {
 public:
  // `parts` is the largest number of parts.
  Rows(const LinearNats<T>& problem, std::int64_t first, std::int64_t count, std::size_t parts, Arena& memory,
       const Routines<T>& routines)
      : p_(problem),
        first_(first),
        rows_(static_cast<std::size_t>(count)),
        r_(routines),
        sizes_(problem, parts, routines) {
    carve(Carver<T>{});
    carve({memory.take<T>(elements_), 0});
  }

  // The number of rows whose memory is about `most_bytes`; at least one.
  static std::size_t fitting(const LinearNats<T>& problem, std::size_t parts, std::size_t most_bytes,
                             const Routines<T>& routines) {
    const Sizes sizes(problem, parts, routines);
    const std::size_t partial = problem.of_hidden == nullptr ? 0 : sizes.parts * sizes.width;
    return std::clamp<std::size_t>(most_bytes / ((sizes.blocks * sizes.stride + partial) * sizeof(T)), 1, most_rows);
  }

  // Writes the gradients of these rows, and returns the sum of their cross-entropies. Gradients of weights and biases
  // are added to what is there unless these rows are the first.
  double run(Team& team) {
    copy_rows();
    share(team, sizes_.parts,
          [&](std::size_t part) { each_block(part, [&](auto block) { put_exponentials(block); }); });
    const double total = combine();
    if (p_.of_hidden == nullptr && p_.of_weight == nullptr && p_.of_bias == nullptr) return total;
    share(team, sizes_.parts, [&](std::size_t part) {
      each_block(part, [&](auto block) { put_gradients(block, part, block == sizes_.first_block(part)); });
    });
    if (p_.of_hidden != nullptr) {
      share(team, std::min<std::size_t>(rows_, most_parts), [&](std::size_t piece) {
        const std::size_t pieces = std::min<std::size_t>(rows_, most_parts);
        add_parts(rows_ * piece / pieces, rows_ * (piece + 1) / pieces);
      });
    }
    return total;
  }

 private:
  struct Sizes {
    std::size_t lanes, features, width;                   // width: of rows of features
    std::size_t vectors, classes, stride, blocks, parts;  // of a block: vectors and classes

    Sizes(const LinearNats<T>& p, std::size_t most, const Routines<T>& r)
        : lanes(r.lanes), features(static_cast<std::size_t>(p.features)), width(row_of<T>(features)), vectors(1) {
      const auto all = static_cast<std::size_t>(p.classes);
      while (vectors * lanes < std::min(all, most_classes)) vectors *= 2;
      classes = vectors * lanes;
      stride = row_of<T>(classes);
      blocks = (all + classes - 1) / classes;
      parts = std::min(blocks, most);
    }
    std::size_t first_block(std::size_t part) const { return blocks * part / parts; }
  };

  void carve(Carver<T> carver) {
    hidden_ = carver.take(rows_ * sizes_.width);
    bias_ = carver.take(sizes_.classes * sizes_.blocks);
    values_ = carver.take(sizes_.blocks * rows_ * sizes_.stride);
    most_ = carver.take(sizes_.blocks * rows_);
    sums_ = carver.take(sizes_.blocks * rows_);
    of_target_ = carver.take(rows_);
    partial_ = carver.take(p_.of_hidden == nullptr ? 0 : sizes_.parts * rows_ * sizes_.width);
    zeros_ = carver.take(sizes_.width);
    packed_ = carver.take(PackedProduct<T>::elements(rows_, sizes_.features, r_));
    elements_ = carver.used;
  }

  template <class F>
  static void share(Team& team, std::size_t pieces, F f) {
    team.share(static_cast<int>(pieces), [&](int piece) {
      f(static_cast<std::size_t>(piece));
      return false;
    });
  }

  template <class F>
  void each_block(std::size_t part, F f) const {
    for (std::size_t block = sizes_.first_block(part); block < sizes_.first_block(part + 1); ++block) f(block);
  }

  T* values(std::size_t block) const { return values_ + block * rows_ * sizes_.stride; }
  std::size_t begin_of(std::size_t block) const { return block * sizes_.classes; }
  std::size_t classes_of(std::size_t block) const {
    return std::min(sizes_.classes, static_cast<std::size_t>(p_.classes) - begin_of(block));
  }
  std::size_t target_of(std::size_t row) const {
    return static_cast<std::size_t>(p_.targets[first_ + static_cast<std::int64_t>(row)]);
  }
  const T* weight(std::size_t block) const { return p_.weight + begin_of(block) * sizes_.features; }

  void copy_rows() {
    for (std::size_t row = 0; row < rows_; ++row) {
      T* to = hidden_ + row * sizes_.width;
      std::memcpy(to, p_.hidden + (static_cast<std::size_t>(first_) + row) * sizes_.features,
                  sizes_.features * sizeof(T));
      std::fill(to + sizes_.features, to + sizes_.width, T(0));
    }
    std::fill(bias_, bias_ + p_.classes, T(0));
    if (p_.bias != nullptr) std::copy(p_.bias, p_.bias + p_.classes, bias_);
    std::fill(zeros_, zeros_ + sizes_.width, T(0));
    PackedProduct<T>().pack(packed_, rows_, sizes_.features, hidden_, sizes_.width, 1, r_);
  }

  // Memory of a thread for one block: a packed matrix, and a few numbers for each row and class.
  struct Scratch {
    T *panels, *transposed, *folded, *most, *sums, *result;
    PackedProduct<T> product;
  };

  Scratch& scratch_of_thread() const {
    thread_local Arena arena;
    thread_local Scratch scratch;
    const auto carve = [&](Carver<T> carver) {
      scratch.panels = carver.take(std::max(PackedProduct<T>::elements(sizes_.features, sizes_.classes, r_),
                                            PackedProduct<T>::elements(sizes_.classes, sizes_.features, r_)));
      scratch.transposed = carver.take((rows_ + sizes_.lanes) * sizes_.classes);
      scratch.folded = carver.take(rows_ * sizes_.classes / 2);
      scratch.most = carver.take(rows_ * sizes_.lanes);
      scratch.sums = carver.take(rows_ * sizes_.lanes);
      scratch.result = carver.take(sizes_.classes * std::max(sizes_.width, sizes_.lanes));
      return carver.used;
    };
    carve({arena.take<T>(carve(Carver<T>{})), 0});
    return scratch;
  }

  // The logits of a block, less the largest of a row's in the block, to the exponential function.
  void put_exponentials(std::size_t block) const {
    Scratch& s = scratch_of_thread();
    const std::size_t stride = sizes_.stride, count = classes_of(block);
    T* x = values(block);
    s.product.pack(s.panels, sizes_.features, count, weight(block), 1, sizes_.features, r_);
    s.product.multiply({hidden_, sizes_.width}, rows_, sizes_.features, s.panels, count, {x, stride},
                       {bias_ + begin_of(block), 0}, r_);
    for (std::size_t row = 0; row < rows_; ++row) {
      std::fill(x + row * stride + count, x + row * stride + sizes_.classes, -std::numeric_limits<T>::infinity());
      const std::size_t place = target_of(row) - begin_of(block);  // wraps if the target is in a block before
      if (place < count) of_target_[row] = x[row * stride + place];
    }
    Exponentials<T>(sizes_.vectors, stride, r_).run(x, rows_, s.most, s.sums, s.folded);
    for (std::size_t row = 0; row < rows_; ++row) {
      most_[block * rows_ + row] = s.most[row * sizes_.lanes];
      sums_[block * rows_ + row] = s.sums[row * sizes_.lanes];
    }
  }

  // The sum of the cross-entropies; `most_` then holds the factors that make probabilities of exponentials.
  double combine() {
    double all = 0;
    for (std::size_t row = 0; row < rows_; ++row) {
      T most = most_[row];
      for (std::size_t block = 1; block < sizes_.blocks; ++block) most = std::max(most, most_[block * rows_ + row]);
      double total = 0;
      for (std::size_t block = 0; block < sizes_.blocks; ++block) {
        T& factor = most_[block * rows_ + row];
        factor = std::exp(factor - most);
        total += static_cast<double>(factor) * static_cast<double>(sums_[block * rows_ + row]);
      }
      for (std::size_t block = 0; block < sizes_.blocks; ++block) {
        T& factor = most_[block * rows_ + row];
        factor = static_cast<T>(static_cast<double>(factor) / total);
      }
      all += std::log(total) + static_cast<double>(most) - static_cast<double>(of_target_[row]);
    }
    return all;
  }

  void put_gradients(std::size_t block, std::size_t part, bool is_first) const {
    Scratch& s = scratch_of_thread();
    const std::size_t stride = sizes_.stride, count = classes_of(block);
    T* x = values(block);
    put_gradients_of_logits(s, block, x, count);
    if (p_.of_weight != nullptr || p_.of_bias != nullptr) put_gradients_of_map(s, block, x, count);
    if (p_.of_hidden != nullptr) {
      const Strided<T> sum{partial_ + part * rows_ * sizes_.width, sizes_.width};
      const Strided<const T> before{is_first ? zeros_ : sum.base, is_first ? 0 : sum.stride};
      s.product.pack(s.panels, count, sizes_.features, weight(block), sizes_.features, 1, r_);
      s.product.multiply({x, stride}, rows_, count, s.panels, sizes_.features, sum, before, r_);
    }
  }

  void put_gradients_of_logits(Scratch& s, std::size_t block, T* x, std::size_t count) const {
    const std::size_t stride = sizes_.stride, lanes = sizes_.lanes;
    for (std::size_t row = 0; row < rows_; ++row) {
      std::fill_n(s.most + row * lanes, lanes, most_[block * rows_ + row]);
    }
    const Slot<T> slots[] = {{x, static_cast<std::ptrdiff_t>(stride), 1, 0},
                             {s.most, static_cast<std::ptrdiff_t>(lanes), 0, 0}};
    const MicroOp scaled{Op::multiply, 0, 0, 1, 0, 0};
    r_.elementwise(&scaled, 1, slots, rows_, sizes_.vectors);
    for (std::size_t row = 0; row < rows_; ++row) {
      const std::size_t place = target_of(row) - begin_of(block);
      if (place < count) x[row * stride + place] -= 1;
    }
  }

  // A product of the transposed gradients of logits and the rows, and the sums of these gradients.
  void put_gradients_of_map(Scratch& s, std::size_t block, const T* x, std::size_t count) const {
    const std::size_t features = sizes_.features;
    const std::size_t stride = s.product.transpose(s.transposed, {x, sizes_.stride}, rows_, count, r_);
    if (p_.of_weight != nullptr) {
      const bool fits = features % sizes_.lanes == 0;  // else whole vectors would write beyond a row's end
      const bool adds = fits && first_ > 0;
      T* out = p_.of_weight + begin_of(block) * features;
      const Strided<T> sums{fits ? out : s.result, fits ? features : sizes_.width};
      s.product.multiply({s.transposed, stride}, count, rows_, packed_, features, sums,
                         {adds ? sums.base : zeros_, adds ? sums.stride : 0}, r_);
      for (std::size_t i = 0; !fits && i < count; ++i) {
        put(out + i * features, sums.base + i * sums.stride, features);
      }
    }
    if (p_.of_bias != nullptr) {
      const auto lanes = static_cast<std::ptrdiff_t>(sizes_.lanes);
      r_.reduce(Reduction::sum, s.result, lanes, s.transposed, static_cast<std::ptrdiff_t>(stride), count, rows_);
      for (std::size_t i = 0; i < count; ++i) put(p_.of_bias + begin_of(block) + i, s.result + i * sizes_.lanes, 1);
    }
  }

  // Stores numbers of a gradient, or adds them to those of the rows before.
  void put(T* out, const T* numbers, std::size_t count) const {
    if (first_ == 0) std::copy(numbers, numbers + count, out);
    else
      for (std::size_t i = 0; i < count; ++i) out[i] += numbers[i];
  }

  // The gradients of rows, which the parts have each a share of.
  void add_parts(std::size_t begin, std::size_t end) const {
    for (std::size_t row = begin; row < end; ++row) {
      T* out = p_.of_hidden + (static_cast<std::size_t>(first_) + row) * sizes_.features;
      const T* from = partial_ + row * sizes_.width;
      std::copy(from, from + sizes_.features, out);
      for (std::size_t part = 1; part < sizes_.parts; ++part) {
        from += rows_ * sizes_.width;
        for (std::size_t i = 0; i < sizes_.features; ++i) out[i] += from[i];
      }
    }
  }

  const LinearNats<T>& p_;
  const std::int64_t first_;
  const std::size_t rows_;
  const Routines<T>& r_;
  const Sizes sizes_;
  std::size_t elements_ = 0;
  T *hidden_ = nullptr, *bias_ = nullptr, *values_ = nullptr, *most_ = nullptr, *sums_ = nullptr, *of_target_ = nullptr,
    *partial_ = nullptr, *zeros_ = nullptr, *packed_ = nullptr;
};

}  // namespace recurra::nats
