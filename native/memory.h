// Memory blocks that hold many arrays.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace recurra {

constexpr std::size_t slack = 64;  // elements after each array that whole-vector reads and writes may touch

// One block of memory, as large as the largest request. It is kept for the next call, so that calls do not ask the
// system for pages.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  ~Arena() { std::free(data_); }

  std::size_t bytes() const { return size_; }

  template <class T>
  T* take(std::size_t elements) {
    constexpr std::size_t cache_line = 64, page = 4096;
    const std::size_t bytes = elements * sizeof(T) + 4 * cache_line;
    if (bytes > size_) {
      std::free(data_);
      size_ = 0;
      const std::size_t rounded = (bytes + page - 1) / page * page;
      data_ = std::aligned_alloc(page, rounded);
      if (data_ == nullptr) throw std::bad_alloc();
      std::memset(data_, 0, rounded);
      size_ = rounded;
    }
    return static_cast<T*>(data_);
  }

  void trim() {
    if (size_ > (std::size_t(64) << 20)) {
      std::free(data_);
      data_ = nullptr;
      size_ = 0;
    }
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// Cuts arrays from one block of memory. Without a block, it counts the elements that are needed.
template <class T>
struct Carver {
  T* base = nullptr;
  std::size_t used = 0;

  T* take(std::size_t elements) {
    // One more cache line keeps arrays of equal sizes from competing for the same cache sets.
    const std::size_t aligned = (elements + slack + 15) / 16 * 16 + 16;
    T* piece = base == nullptr ? nullptr : base + used;
    used += aligned;
    return piece;
  }
};

}  // namespace recurra
