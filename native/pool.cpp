#include "pool.h"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#ifndef _WIN32
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace recurra {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // some ten nanoseconds; `yield` does nothing on most of these processors
#endif
}

constexpr int spins = 4000;  // some 40 µs: the time between two calls of a training loop's layers

// Waits until `done` says so: burning the processor first, then giving it away.
template <class F>
inline void wait_until(F done) {
  for (int i = 0; !done(); ++i) {
    if (i < spins) relax();
    else std::this_thread::yield();
  }
}

class Pool {
 public:
  bool run(int threads, const std::function<void(int)>& task) {
    if (!grow(threads - 1)) return false;
    task_ = &task;
    left_.store(threads - 1, std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(sleep_);
      const std::uint64_t round = order_.load(std::memory_order_relaxed) >> 16;
      order_.store((round + 1) << 16 | static_cast<std::uint64_t>(threads - 1), std::memory_order_seq_cst);
    }
    if (sleeping_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();
    task(0);
    wait_until([&] { return left_.load(std::memory_order_acquire) == 0; });
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

  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> order_{0};  // the round, and in the low 16 bits how many workers take part in it
  std::atomic<int> sleeping_{0}, left_{0};
  std::vector<std::thread> workers_;
  const std::function<void(int)>* task_ = nullptr;
};

// What is needed of an OpenMP runtime, by the names that GCC's has and other runtimes offer too.
class OpenMP {
 public:
  bool find() {
#ifndef _WIN32
    void* found = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    Dl_info where;
    if (found == nullptr || dladdr(found, &where) == 0 || where.dli_fname == nullptr) return false;
    void* library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);  // the others from the same runtime
    if (library == nullptr) return false;
    parallel_ = reinterpret_cast<Parallel>(found);
    number_ = reinterpret_cast<Ask>(dlsym(library, "omp_get_thread_num"));
    count_ = reinterpret_cast<Ask>(dlsym(library, "omp_get_num_threads"));
#endif
    return number_ != nullptr && count_ != nullptr;
  }

  // A team may come out smaller than asked for, for instance inside another one; then nothing runs.
  bool run(int threads, const std::function<void(int)>& task) const {
    Work work{this, &task, threads, {true}};
    parallel_(&member, &work, static_cast<unsigned>(threads), 0);
    return work.complete.load(std::memory_order_relaxed);
  }

 private:
  typedef void (*Parallel)(void (*)(void*), void*, unsigned, unsigned);
  typedef int (*Ask)();
  struct Work {
    const OpenMP* openmp;
    const std::function<void(int)>* task;
    int threads;
    std::atomic<bool> complete;
  };

  static void member(void* data) {
    Work& work = *static_cast<Work*>(data);
    if (work.openmp->count_() == work.threads) (*work.task)(work.openmp->number_());
    else work.complete.store(false, std::memory_order_relaxed);
  }

  Parallel parallel_ = nullptr;
  Ask number_ = nullptr, count_ = nullptr;
};

// What a task throws must not leave its thread: it is kept for the caller, the first of several.
struct Guarded {
  const std::function<void(int)>& task;
  std::atomic<bool> failed{false};
  std::exception_ptr failure;

  explicit Guarded(const std::function<void(int)>& guarded) : task(guarded) {}
  void operator()(int number) {
    try {
      task(number);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
};

// The process's threads. A forked child has none of its parent's: it leaves what the parent had alone.
struct Threads {
  std::mutex busy;
  Pool pool;
};
std::atomic<Threads*> threads_of_process{nullptr};
std::atomic<const OpenMP*> openmp{nullptr};

void watch_forks() {
#ifndef _WIN32
  static const int once = pthread_atfork(nullptr, nullptr, [] {
    threads_of_process.store(nullptr, std::memory_order_release);
    openmp.store(nullptr, std::memory_order_release);
  });
  (void)once;
#endif
}

Threads& the_threads() {
  Threads* found = threads_of_process.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
  watch_forks();
  Threads* made = new Threads;  // lives as long as the process: its threads may still look at it
  if (threads_of_process.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *found;
}

}  // namespace

bool run_together(int threads, const std::function<void(int)>& task) {
  if (threads <= 1) {
    task(0);
    return true;
  }
  Threads& ours = the_threads();
  std::unique_lock<std::mutex> mine(ours.busy, std::try_to_lock);
  if (!mine.owns_lock()) return false;
  Guarded guarded{task};
  const std::function<void(int)> each = std::ref(guarded);
  const OpenMP* runtime = openmp.load(std::memory_order_acquire);
  const bool ran = runtime != nullptr ? runtime->run(threads, each) : ours.pool.run(threads, each);
  if (guarded.failure) std::rethrow_exception(guarded.failure);
  return ran;
}

bool join_openmp() {
  static OpenMP runtime;
  static const bool found = runtime.find();
  watch_forks();
  if (found) openmp.store(&runtime, std::memory_order_release);
  return found;
}

void Barrier::wait() {
  const unsigned generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    return;
  }
  wait_until([&] { return generation_.load(std::memory_order_acquire) != generation; });
}

void Team::order(const std::function<void(int)>* task) {
  task_ = task;
  left_.store(threads_ - 1, std::memory_order_relaxed);
  order_.fetch_add(1, std::memory_order_release);
}

void Team::share(const std::function<void(int)>& task) {
  order(&task);
  task(0);
  wait_until([&] { return left_.load(std::memory_order_acquire) == 0; });
}

void Team::dismiss() { order(nullptr); }

void Team::serve(int number) {
  for (unsigned seen = 0;; ++seen) {
    wait_until([&] { return order_.load(std::memory_order_acquire) != seen; });
    if (task_ == nullptr) return;
    (*task_)(number);
    left_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace recurra
