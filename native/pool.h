// Threads that wait for work: one pool for the process, which grows when more threads are asked for.
#pragma once

#include <atomic>
#include <functional>

namespace recurra {

// Runs task(0) … task(threads - 1) at the same time, task(0) on the calling thread; returns when all are done. Where
// the pool is busy with another caller's work, or no thread can be had, it returns false, and nothing has run.
bool run_together(int threads, const std::function<void(int)>& task);

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

}  // namespace recurra
