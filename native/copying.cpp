// Copies of strided arrays as steps: transposed ones become contiguous, parts become one array.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "steps.h"

namespace recurra {
namespace {

struct Dimension {
  std::int64_t size;
  std::ptrdiff_t from, to;  // bytes
};

template <class T>
void copy_matrix(const char* from, char* to, const Dimension& row, const Dimension& column) {
  constexpr std::int64_t block = 16;  // rows and columns whose lines stay in the first-level cache
  for (std::int64_t i0 = 0; i0 < row.size; i0 += block) {
    for (std::int64_t j0 = 0; j0 < column.size; j0 += block) {
      for (std::int64_t i = i0; i < std::min(row.size, i0 + block); ++i) {
        for (std::int64_t j = j0; j < std::min(column.size, j0 + block); ++j) {
          std::memcpy(to + i * row.to + j * column.to, from + i * row.from + j * column.from, sizeof(T));
        }
      }
    }
  }
}

class Copy : public Step {
 public:
  Copy(const char* from, char* to, std::vector<Dimension> dimensions, std::int64_t item, int threads)
      : from_(from), to_(to), item_(item), threads_(threads) {
    for (const Dimension& d : dimensions) {
      if (d.size == 1) continue;
      Dimension* last = dimensions_.empty() ? nullptr : &dimensions_.back();
      if (last != nullptr && last->from == d.from * d.size && last->to == d.to * d.size) {
        *last = {last->size * d.size, d.from, d.to};
      } else {
        dimensions_.push_back(d);
      }
    }
    double elements = 1;
    for (const Dimension& d : dimensions_) elements *= static_cast<double>(d.size);
    work_ = elements / 2;
    // Two dimensions stay inside: the last, and the one along which the source is contiguous.
    if (dimensions_.empty()) dimensions_.push_back({1, item, item});
    inner_ = dimensions_.back();
    dimensions_.pop_back();
    row_ = {1, 0, 0};
    if (inner_.from != item && !dimensions_.empty()) {
      std::size_t least = dimensions_.size() - 1;
      for (std::size_t n = 0; n < dimensions_.size(); ++n) {
        if (std::abs(dimensions_[n].from) < std::abs(dimensions_[least].from)) least = n;
      }
      row_ = dimensions_[least];
      dimensions_.erase(dimensions_.begin() + static_cast<std::ptrdiff_t>(least));
    }
  }

  void run() override {
    std::int64_t count = 1;
    for (const Dimension& d : dimensions_) count *= d.size;
    if (count >= 8) return split_work(threads_, work_, count, [&](auto begin, auto end) { outer(begin, end); });
    outer(0, count);
  }

 private:
  void outer(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t n = begin; n < end; ++n) {
      std::ptrdiff_t from = 0, to = 0;
      std::int64_t rest = n;
      for (std::size_t d = dimensions_.size(); d-- > 0; rest /= dimensions_[d].size) {
        from += rest % dimensions_[d].size * dimensions_[d].from;
        to += rest % dimensions_[d].size * dimensions_[d].to;
      }
      inner(from_ + from, to_ + to);
    }
  }

  void inner(const char* from, char* to) const {
    if (row_.size == 1 && inner_.from == item_ && inner_.to == item_) {
      std::memcpy(to, from, static_cast<std::size_t>(inner_.size * item_));
      return;
    }
    switch (item_) {
      case 1: return copy_matrix<std::uint8_t>(from, to, row_, inner_);
      case 2: return copy_matrix<std::uint16_t>(from, to, row_, inner_);
      case 4: return copy_matrix<std::uint32_t>(from, to, row_, inner_);
      default: return copy_matrix<std::uint64_t>(from, to, row_, inner_);
    }
  }

  const char* from_;
  char* to_;
  const std::int64_t item_;
  const int threads_;
  std::vector<Dimension> dimensions_;  // the outer ones
  Dimension row_, inner_;
};

}  // namespace

std::unique_ptr<Step> copying(const void* from, void* to, const std::vector<std::int64_t>& sizes,
                              const std::vector<std::int64_t>& from_strides,
                              const std::vector<std::int64_t>& to_strides, std::int64_t item, int threads) {
  if (item != 1 && item != 2 && item != 4 && item != 8) throw std::invalid_argument("elements of an unknown size");
  std::vector<Dimension> dimensions;
  for (std::size_t n = 0; n < sizes.size(); ++n) dimensions.push_back({sizes[n], from_strides[n], to_strides[n]});
  return std::make_unique<Copy>(static_cast<const char*>(from), static_cast<char*>(to), std::move(dimensions), item,
                                threads);
}

}  // namespace recurra
