// Threads that work together: those of the process's OpenMP runtime where it has been joined, else a pool of our own.
#pragma once

#include <atomic>
#include <functional>

namespace recurra {

// Runs task(0) … task(threads - 1) at the same time, task(0) on the calling thread; returns when all are done. Where
// another caller's work is running, or threads cannot be had, it returns false, and nothing has run.
bool run_together(int threads, const std::function<void(int)>& task);

// From now on run_together borrows its threads from the OpenMP runtime that another library has brought into the
// process: two pools whose threads burn the processor while they wait would take it from each other. Returns whether
// there is one. A forked child goes back to a pool of its own, as OpenMP's threads do not survive a fork.
bool join_openmp();

// Where threads wait for each other. Waiting burns the processor first, and gives it away after a while.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait();

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> generation_{0};
};

// Threads that one of them gives small tasks to, again and again, at the price of two reads of each other's memory.
// Inside run_together: number 0 calls share() as often as it likes and then dismiss(), the others serve().
class Team {
 public:
  explicit Team(int threads) : threads_(threads) {}
  int threads() const { return threads_; }
  void share(const std::function<void(int)>& task);
  void dismiss();
  void serve(int number);

 private:
  void order(const std::function<void(int)>* task);

  const int threads_;
  const std::function<void(int)>* task_ = nullptr;  // null: go home
  alignas(64) std::atomic<unsigned> order_{0};
  alignas(64) std::atomic<int> left_{0};
};

}  // namespace recurra
