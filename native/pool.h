// Threads that help a caller: those of the process's OpenMP runtime where it has been joined, else a pool of our own.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>

namespace recurra {

// A caller and the threads that help it. The caller shares out tasks in pieces; a helper takes a piece when it is there
// to take one, and the caller runs what nobody came for. So the caller waits for nothing but pieces that are being run.
class Team {
 public:
  static constexpr int most_pieces = 64;

  int threads() const { return open_.load(std::memory_order_relaxed); }  // the caller, and those that may come

  // By the caller: runs task(0) … task(pieces - 1), and returns when all are done. Thread n begins with piece n. A
  // piece that returns true is not done: it is offered again, to whoever is free.
  template <class F>
  void share(int pieces, F&& task) {
    using Function = std::remove_reference_t<F>;
    run(pieces, {std::addressof(task), [](const void* object, int piece) -> bool {
                   return (*const_cast<Function*>(static_cast<const Function*>(object)))(piece);
                 }});
  }

  // By the caller: lets helpers in, and closes the door behind them. Nanoseconds that the caller has waited in between.
  void open(int threads);
  std::int64_t close();

  // By helper number `number`: runs pieces until the door is closed.
  void serve(int number);
  bool wants(int number) const { return open_.load(std::memory_order_seq_cst) > number; }

 private:
  struct Task {
    const void* object;
    bool (*call)(const void*, int);
  };

  void run(int pieces, Task task);
  int take(int number);
  void perform(int piece);
  void wait();

  // Of a piece that has been taken the caller awaits the end: so whoever has one may read the task.
  alignas(64) std::atomic<std::uint64_t> offered_{0};  // a bit for each piece that nobody has taken
  Task task_{};
  alignas(64) std::atomic<int> left_{0};  // pieces that are not done
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
  std::int64_t waited_ = 0;
  alignas(64) std::atomic<int> open_{1};
};

// Runs work(team) on the calling thread, with up to threads - 1 others at its service. It is a team of one thread where
// another caller has the others, or where they have lately cost more than they brought (payoff.h). What work or a piece
// throws reaches the caller.
void with_helpers(int threads, const std::function<void(Team&)>& work);

// From now on with_helpers borrows its threads from the OpenMP runtime that another library has brought into the
// process, where that one's teams are as large: two pools whose threads burn the processor while they wait would take
// it from each other. Returns whether there is one. A forked child goes back to a pool of its own, as OpenMP's threads
// do not survive a fork.
bool join_openmp();

}  // namespace recurra
