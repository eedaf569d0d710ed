// Threads that help a caller: those of the process's OpenMP runtime if it has been joined, else a pool of our own.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>

namespace recurra {

// A caller and the threads that help it. The caller offers tasks in pieces. A helper takes pieces when it runs, and the
// caller runs the pieces that nobody takes. So the caller waits only for pieces that are being run.
class Team {
 public:
  static constexpr int most_pieces = 64;

  int threads() const { return open_.load(std::memory_order_relaxed); }  // the caller and possible helpers

  // Called by the caller: runs task(0) … task(pieces - 1), and returns when all are done. Thread n begins with piece n.
  // A piece that returns true is not done, and is offered again to any free thread.
  template <class F>
  void share(int pieces, F&& task) {
    using Function = std::remove_reference_t<F>;
    run(pieces, {std::addressof(task), [](const void* object, int piece) -> bool {
                   return (*const_cast<Function*>(static_cast<const Function*>(object)))(piece);
                 }});
  }

  // Called by the caller: let helpers in; shut them out, and return the nanoseconds that the caller waited in between.
  void open(int threads);
  std::int64_t close();

  // Called by helper number `number`: runs pieces until helpers are shut out.
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

  // A thread that has taken a piece may read the task, as the caller waits for the end of that piece.
  alignas(64) std::atomic<std::uint64_t> offered_{0};  // one bit for each piece that nobody has taken
  Task task_{};
  alignas(64) std::atomic<int> left_{0};  // the number of pieces that are not done
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
  std::int64_t waited_ = 0;
  alignas(64) std::atomic<int> open_{1};
};

// Runs work(team) on the calling thread, with up to threads - 1 helpers. The team is one thread if another caller has
// the helpers, or if they have recently cost more than they gained (payoff.h). Exceptions of work and of pieces reach
// the caller.
void with_helpers(int threads, const std::function<void(Team&)>& work);

// Makes with_helpers borrow its threads from the OpenMP runtime that another library has loaded, if the teams of that
// runtime have the same size. Waiting threads spin, so two pools would take the processors from each other. Returns
// whether there is such a runtime. A forked child goes back to a pool of its own, as OpenMP's threads do not survive a
// fork.
bool join_openmp();

}  // namespace recurra
