#include "pool.h"

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#ifndef _WIN32
#include <dlfcn.h>
#include <pthread.h>
#endif

#include "payoff.h"
#include "subnormals.h"

namespace recurra {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // about ten nanoseconds; `yield` does nothing on most of these processors
#endif
}

constexpr int spins = 4000;  // about 40 µs: the time between two layers' calls in a training loop
constexpr int moment = 100;  // spins before the first look at the clock

// Waits until `done` returns true: spins first, then yields the processor.
template <class F>
inline void wait_until(F done) {
  for (int i = 0; !done(); ++i) {
    if (i < spins) relax();
    else std::this_thread::yield();
  }
}

std::int64_t time_of(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::int64_t now() { return time_of(CLOCK_MONOTONIC); }

// The time for which this thread has had a processor.
std::int64_t time_run() { return time_of(CLOCK_THREAD_CPUTIME_ID); }

// Our own helper threads. They spin for a while after each call, then sleep.
class Helpers {
 public:
  // Lets helpers 1 … threads - 1 in, or fewer if the system has no more threads. Does not wait for them.
  void open(Team& team, int threads) {
    grow(team, threads - 1);
    {
      std::lock_guard<std::mutex> lock(sleep_);
      team.open(threads);
    }
    if (sleeping_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();
  }

 private:
  void grow(Team& team, int helpers) {
    try {
      for (; count_ < helpers; ++count_) {
        std::thread([this, &team, number = count_ + 1] { help(team, number); }).detach();
      }
    } catch (const std::system_error&) {}
  }

  void help(Team& team, int number) {
    const FlushSubnormals flush;
    for (;;) {
      team.serve(number);
      for (int i = 0; i < spins && !team.wants(number); ++i) relax();
      if (team.wants(number)) continue;
      std::unique_lock<std::mutex> lock(sleep_);
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return team.wants(number); });
      sleeping_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }

  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<int> sleeping_{0};
  int count_ = 0;
};

// The functions of an OpenMP runtime that are needed, by GCC's names, which other runtimes offer too.
class OpenMP {
 public:
  bool find() {
#ifndef _WIN32
    void* found = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    Dl_info where;
    if (found == nullptr || dladdr(found, &where) == 0 || where.dli_fname == nullptr) return false;
    void* library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);  // all functions from the same runtime
    if (library == nullptr) return false;
    parallel_ = reinterpret_cast<Parallel>(found);
    number_ = reinterpret_cast<Ask>(dlsym(library, "omp_get_thread_num"));
    most_ = reinterpret_cast<Ask>(dlsym(library, "omp_get_max_threads"));
#endif
    return number_ != nullptr && most_ != nullptr;
  }

  // Whether this thread's teams have this size. For a team of another size, the runtime would end threads and start
  // them again.
  bool has_teams_of(int threads) const { return most_() == threads; }

  // Runs task(0) on this thread and task(1) … on others in parallel; returns when all are done.
  void run(int threads, const std::function<void(int)>& task) const {
    Work work{this, &task};
    parallel_(&member, &work, static_cast<unsigned>(threads), 0);
  }

 private:
  typedef void (*Parallel)(void (*)(void*), void*, unsigned, unsigned);
  typedef int (*Ask)();
  struct Work {
    const OpenMP* openmp;
    const std::function<void(int)>* task;
  };

  static void member(void* data) {
    Work& work = *static_cast<Work*>(data);
    (*work.task)(work.openmp->number_());
  }

  Parallel parallel_ = nullptr;
  Ask number_ = nullptr, most_ = nullptr;
};

// The threads of the process. A forked child has none of its parent's threads, and does not touch the parent's objects.
struct Threads {
  std::mutex busy;
  Team team;
  Helpers helpers;
  Payoff payoff;
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
  Threads* made = new Threads;  // never deleted, as its threads may still use it
  if (threads_of_process.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *found;
}

// Does the work while helpers may come in. Returns the nanoseconds that the caller has waited for others or been off
// its processor; stores an exception of the work in `failure`.
std::int64_t work_with(Team& team, const std::function<void(Team&)>& work, std::exception_ptr& failure) {
  const std::int64_t begin = now(), ran = time_run();
  try {
    work(team);
  } catch (...) {
    failure = std::current_exception();
  }
  const std::int64_t waited = team.close(), off = now() - begin - (time_run() - ran);
  return std::max(waited, off);
}

}  // namespace

void with_helpers(int threads, const std::function<void(Team&)>& work) {
  const auto alone = [&] {
    Team team;
    work(team);
  };
  if (threads <= 1) return alone();
  Threads& ours = the_threads();
  std::unique_lock<std::mutex> mine(ours.busy, std::try_to_lock);
  if (!mine.owns_lock()) return alone();
  const std::int64_t begin = now();
  if (!ours.payoff.pays(begin)) {
    mine.unlock();
    return alone();
  }
  Team& team = ours.team;
  std::exception_ptr failure;
  std::int64_t lost = 0;
  const OpenMP* runtime = openmp.load(std::memory_order_acquire);
  if (runtime != nullptr && runtime->has_teams_of(threads)) {
    std::int64_t inside = 0;  // without the time in the runtime's own barriers
    team.open(threads);
    runtime->run(threads, [&](int number) {
      if (number != 0) {
        const FlushSubnormals flush;
        return team.serve(number);
      }
      const std::int64_t entered = now();
      lost = work_with(team, work, failure);
      inside = now() - entered;
    });
    lost += now() - begin - inside;
  } else {
    ours.helpers.open(team, threads);
    lost = work_with(team, work, failure);
  }
  ours.payoff.learn(begin, now(), lost);
  if (failure) std::rethrow_exception(failure);
}

bool join_openmp() {
  static OpenMP runtime;
  static const bool found = runtime.find();
  watch_forks();
  if (found) openmp.store(&runtime, std::memory_order_release);
  return found;
}

void Team::open(int threads) {
  waited_ = 0;
  open_.store(threads, std::memory_order_seq_cst);
}

std::int64_t Team::close() {
  open_.store(1, std::memory_order_seq_cst);
  return waited_;
}

// Takes a piece that is offered: number `number`, or the next one after it. Returns -1 if there is none.
int Team::take(int number) {
  std::uint64_t offered = offered_.load(std::memory_order_relaxed);
  while (offered != 0) {
    const std::uint64_t behind = offered >> number;
    const int piece = behind != 0 ? number + __builtin_ctzll(behind) : __builtin_ctzll(offered);
    const std::uint64_t rest = offered & ~(std::uint64_t{1} << piece);
    if (offered_.compare_exchange_weak(offered, rest, std::memory_order_acq_rel, std::memory_order_relaxed))
      return piece;
  }
  return -1;
}

void Team::perform(int piece) {
  bool again = false;
  try {
    again = task_.call(task_.object, piece);
  } catch (...) {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
  }
  if (again) offered_.fetch_or(std::uint64_t{1} << piece, std::memory_order_release);
  else left_.fetch_sub(1, std::memory_order_release);
}

// Waits until there is a piece to take, or all are done.
void Team::wait() {
  const auto over = [&] {
    return left_.load(std::memory_order_relaxed) == 0 || offered_.load(std::memory_order_relaxed) != 0;
  };
  for (int i = 0; i < moment; ++i) {
    if (over()) return;
    relax();
  }
  const std::int64_t begin = now();
  wait_until(over);
  waited_ += now() - begin;
}

void Team::run(int pieces, Task task) {
  task_ = task;
  left_.store(pieces, std::memory_order_relaxed);
  offered_.store(~std::uint64_t{0} >> (most_pieces - pieces), std::memory_order_release);
  while (left_.load(std::memory_order_acquire) != 0) {
    if (const int piece = take(0); piece >= 0) perform(piece);
    else wait();
  }
  if (!failed_.load(std::memory_order_relaxed)) return;
  failed_.store(false, std::memory_order_relaxed);
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::serve(int number) {
  for (int idle = 0; wants(number);) {
    if (const int piece = take(number); piece >= 0) {
      perform(piece);
      idle = 0;
    } else if (idle < spins) {
      ++idle;
      relax();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace recurra
