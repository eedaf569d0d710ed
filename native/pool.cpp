#include "pool.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace recurra {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

constexpr int spins = 4000;  // some 40 µs: the time between two calls of a training loop's layers

class Pool {
 public:
  bool run(int threads, const std::function<void(int)>& task) {
    std::unique_lock<std::mutex> mine(busy_, std::try_to_lock);
    if (!mine.owns_lock() || !grow(threads - 1)) return false;
    task_ = &task;
    left_.store(threads - 1, std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(sleep_);
      const std::uint64_t round = order_.load(std::memory_order_relaxed) >> 16;
      order_.store((round + 1) << 16 | static_cast<std::uint64_t>(threads - 1), std::memory_order_seq_cst);
    }
    if (sleeping_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();
    task(0);
    for (int i = 0; left_.load(std::memory_order_acquire) != 0; ++i) {
      if (i < spins) relax();
      else std::this_thread::yield();
    }
    return true;
  }

 private:
  bool grow(int workers) {
    try {
      while (static_cast<int>(workers_.size()) < workers) {
        const int number = static_cast<int>(workers_.size()) + 1;
        const std::uint64_t seen = order_.load(std::memory_order_relaxed);
        workers_.emplace_back([this, number, seen] { work(number, seen); });
        workers_.back().detach();
      }
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }

  // Number `number` waits for orders other than the one it has seen.
  void work(int number, std::uint64_t seen) {
    for (;;) {
      std::uint64_t order = order_.load(std::memory_order_acquire);
      for (int i = 0; i < spins && order == seen; ++i) {
        relax();
        order = order_.load(std::memory_order_acquire);
      }
      if (order == seen) {
        std::unique_lock<std::mutex> lock(sleep_);
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        wake_.wait(lock, [&] { return (order = order_.load(std::memory_order_seq_cst)) != seen; });
        sleeping_.fetch_sub(1, std::memory_order_seq_cst);
      }
      seen = order;
      if (static_cast<std::uint64_t>(number) <= (order & 0xffff)) {
        (*task_)(number);
        left_.fetch_sub(1, std::memory_order_acq_rel);
      }
    }
  }

  std::mutex busy_, sleep_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> order_{0};  // the round, and in the low 16 bits how many workers take part in it
  std::atomic<int> sleeping_{0}, left_{0};
  std::vector<std::thread> workers_;
  const std::function<void(int)>* task_ = nullptr;
};

// A forked child has none of its parent's threads: it leaves the parent's pool alone and makes its own.
std::atomic<Pool*> pool{nullptr};

Pool& the_pool() {
  Pool* found = pool.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
#ifndef _WIN32
  static const int once = pthread_atfork(nullptr, nullptr, [] { pool.store(nullptr, std::memory_order_release); });
  (void)once;
#endif
  Pool* made = new Pool;  // lives as long as the process: its threads may still look at it
  if (pool.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *found;
}

}  // namespace

bool run_together(int threads, const std::function<void(int)>& task) {
  if (threads <= 1) {
    task(0);
    return true;
  }
  return the_pool().run(threads, task);
}

void Barrier::wait() {
  const unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    return;
  }
  for (int i = 0; generation_.load(std::memory_order_acquire) == generation; ++i) {
    if (i < spins) relax();
    else std::this_thread::yield();
  }
}

}  // namespace recurra
