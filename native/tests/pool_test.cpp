// Many callers at once: of the thread pool, of its barrier, and of the executor, whose results must not depend on who ran
// what. Made to run under ThreadSanitizer (tools/sanitize.sh); without it a quick test of the same.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "../code.h"
#include "../dispatch.h"
#include "../executor.h"
#include "../pool.h"

namespace {

using recurra::Barrier;
using recurra::Call;
using recurra::Executor;
using recurra::run_together;
using recurra::Team;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "pool_test: %s\n", what);
  std::exit(1);
}

// One member hands out many small tasks; each member adds to its own place, and the first reads all of them.
void tasks_of_a_team(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    const int members = 2 + round % 3;
    std::vector<int> places(static_cast<std::size_t>(members), 0);
    Team team(members);
    int sum = 0;
    const bool ran = run_together(members, [&](int n) {
      if (n != 0) return team.serve(n);
      for (int task = 1; task <= 40; ++task) {
        team.share([&](int member) { places[member] += task; });
        for (int place : places) sum += place;
      }
      team.dismiss();
    });
    require(ran, "a team without members");
    require(sum == members * 11480, "a task was lost, or done twice");  // the sum of the sums of 1 … n for n up to 40
  }
}

// What any member throws reaches the caller, after the others are done; the threads serve the next call.
void failures(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    const int members = 2 + round % 3;
    std::atomic<int> done{0};
    bool caught = false;
    try {
      run_together(members, [&](int n) {
        ++done;
        if (n == round % members || round % 5 == 0) throw std::bad_alloc();
      });
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    require(caught && done == members, "a failure was lost, or did not wait for the others");
  }
}

// Each round, every part writes its own place, waits for the others, and reads theirs.
void rounds_of_the_pool(int callers, int rounds) {
  std::vector<std::thread> threads;
  std::atomic<int> together{0};
  for (int caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&, caller] {
      for (int round = 0; round < rounds; ++round) {
        const int parts = 2 + (round + caller) % 3;
        std::vector<int> places(static_cast<std::size_t>(parts), 0), sums(places);
        Barrier barrier(parts);
        const bool ran = run_together(parts, [&](int n) {
          for (int phase = 1; phase <= 3; ++phase) {
            places[n] += phase * (n + 1);
            barrier.wait();
            for (int place : places) sums[n] += place;
            barrier.wait();
          }
        });
        if (!ran) {  // the pool is another caller's, and nothing has run
          for (int sum : sums) require(sum == 0, "a part ran though the pool was busy");
          continue;
        }
        ++together;
        for (int sum : sums) require(sum == 10 * parts * (parts + 1) / 2, "a part missed what another one wrote");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  require(together > 0, "no round ran");
  require(callers > 1 || together == rounds, "a single caller was refused");
}

// Code by hand: y = before's product of x, h' = x W + h U in the loop, and behind the loop y = h' + h'. With a sum over rows
// of x and h' where `summed`, which makes the slices of the batch wait for each other.
std::vector<std::int64_t> code_of(std::int64_t lanes, std::int64_t n, bool summed) {
  const auto joined = [](std::initializer_list<std::vector<std::int64_t>> lists) {
    std::vector<std::int64_t> all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
  };
  const std::int64_t vectors = (n + lanes - 1) / lanes, outputs = 1;
  const std::vector<std::int64_t> head = {lanes, 0, 24, 8, 2, n, n, 2, n, n, 1, n, outputs, n, 1, n};
  const std::vector<std::int64_t> values = {
      9,
      5, n, n, 0, 0,    // 0: W
      5, n, n, 1, 0,    // 1: U
      6, n, 1, 0, 0,    // 2: x
      3, n, 1, 0, 0,    // 3: h
      4, n, 1, 0, 0,    // 4: h'
      1, n, 1, -1, 0,   // 5: x W, of a chunk
      1, n, 1, -1, 0,   // 6: h', of a chunk
      7, n, 1, 0, 0,    // 7: y
      0, n, n, -1, 0};  // 8: the sum over rows
  const std::vector<std::int64_t> matrices = {2, n, 1, 1, 0, 0, 0, n, 0, n, 2, 1, 1, 0, 0, n, 0};
  const std::vector<std::int64_t> none = {0}, before = {1, 1, 0, 0, 2, 0, 0, 1, 5, -1, 0};
  const std::vector<std::int64_t> step = {2, 1, 0, 0, 3, 0, 1, 1, 4, 5, 0, 0, 0, vectors, 1, 0, 6, 4, -1, -1, 0};
  std::vector<std::int64_t> after = {1, 0, 0, vectors, 2, 3, 6, 6, 6, -1, 0, 2, 7, 6, -1, -1, n};
  std::vector<std::int64_t> sums = none, results = none;
  if (summed) {
    sums = {1, 5, 0, n, 8, 0, 2, 0, n, 6, 0};
    results = {1, 8};
  }
  return joined({head, values, matrices, none, before, step, after, sums, none, results});
}

struct Problem {
  std::int64_t n, steps, batch;
  bool summed, reverse;
  std::vector<std::int64_t> batch_sizes;  // empty: dense
};

struct Answer {
  std::vector<float> y, last, sum;
  bool operator==(const Answer&) const = default;
};

Answer solve(const Executor<float>& executor, const Problem& p, int threads) {
  std::vector<float> w(static_cast<std::size_t>(p.n * p.n)), u(w), x, first;
  std::int64_t rows = p.steps * p.batch;
  if (!p.batch_sizes.empty()) {
    rows = 0;
    for (std::int64_t size : p.batch_sizes) rows += size;
  }
  unsigned state = 1;
  const auto draw = [&] { return static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f; };
  for (float& v : w) v = draw() * 0.1f;
  for (float& v : u) v = draw() * 0.1f;
  x.resize(static_cast<std::size_t>(rows * p.n));
  for (float& v : x) v = draw();
  first.resize(static_cast<std::size_t>(p.batch * p.n));
  for (float& v : first) v = draw();
  Answer answer;
  answer.y.resize(x.size());
  answer.last.resize(first.size());
  answer.sum.resize(p.summed ? w.size() : 0);
  Call<float> call;
  call.steps = p.steps, call.batch = p.batch, call.threads = threads, call.reverse = p.reverse;
  call.batch_sizes = p.batch_sizes.empty() ? nullptr : p.batch_sizes.data();
  call.parameters = {{w.data(), p.n, 1}, {u.data(), p.n, 1}};
  const std::ptrdiff_t stride = p.batch_sizes.empty() ? p.batch * p.n : 0;
  call.inputs = {{x.data(), stride, p.n}};
  call.outputs = {{answer.y.data(), stride, p.n}};
  call.first = {{first.data(), p.n}};
  call.last = {{answer.last.data(), p.n}};
  if (p.summed) call.results = {answer.sum.data()};
  executor.run(call, nullptr);
  return answer;
}

void executors(int rounds) {
  const recurra::Kernels& kernels = recurra::active_kernels();
  const auto lanes = static_cast<std::int64_t>(kernels.f32.lanes);
  std::vector<std::int64_t> lengths;
  for (std::int64_t t = 0; t < 40; ++t) lengths.push_back(40 - t);
  for (bool summed : {false, true}) {
    const Executor<float> executor(recurra::decode(code_of(lanes, 50, summed), {}, kernels.f32.lanes), kernels.f32);
    const std::vector<Problem> problems = {
        {50, 41, 37, summed, false, {}}, {50, 40, 40, summed, true, lengths},
        {50, 40, 40, summed, false, lengths}, {50, 300, 1, summed, true, {}}};
    std::vector<Answer> expected;
    for (const Problem& p : problems) expected.push_back(solve(executor, p, 1));
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&, caller] {
        for (int round = 0; round < rounds; ++round) {
          const std::size_t which = static_cast<std::size_t>(round + caller) % problems.size();
          require(solve(executor, problems[which], 2 + round % 3) == expected[which], "threads changed a result");
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 40;
  rounds_of_the_pool(1, 50 * rounds);
  rounds_of_the_pool(4, 50 * rounds);
  tasks_of_a_team(5 * rounds);
  failures(50 * rounds);
  executors(rounds);
  std::puts("pool_test: all well");
}
