// Tests helper threads and the executor with many callers at once; results must not depend on which thread ran what.
// Meant for ThreadSanitizer (tools/sanitize.sh); without it, a quick test of the same.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "../code.h"
#include "../dispatch.h"
#include "../executor.h"
#include "../nats.h"
#include "../payoff.h"
#include "../pool.h"
#include "../processors.h"
#include "../subnormals.h"

// Replaces processors.cpp, so that slices and teams have more threads than this machine has processors.
int recurra::processors_allowed() { return 8; }

namespace {

using recurra::Call;
using recurra::Executor;
using recurra::Team;
using recurra::with_helpers;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "pool_test: %s\n", what);
  std::exit(1);
}

// Runs work(team), and returns whether there were helpers. There may be none, as the threads serve one caller at a
// time, and rest after they have been of no use.
template <class F>
bool with_team(int threads, F work) {
  bool others = false;
  with_helpers(threads, [&](Team& team) {
    others = team.threads() > 1;
    work(team);
  });
  return others;
}

// Whether to go on: until all rounds are done, and a caller has had help, which takes seconds at most.
bool goes_on(int round, int rounds, int helped) {
  if (round >= rounds && helped == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return round < rounds || (helped == 0 && round < rounds + 30000);
}

// One caller offers many small tasks. Each piece writes to its own place, and the caller reads all of them.
void tasks_of_a_team(int rounds) {
  int helped = 0;
  for (int round = 0; goes_on(round, rounds, helped); ++round) {
    const int pieces = 1 + round % 5;
    std::vector<int> places(static_cast<std::size_t>(pieces), 0);
    int sum = 0;
    helped += with_team(2 + round % 3, [&](Team& team) {
      for (int task = 1; task <= 40; ++task) {
        team.share(pieces, [&](int piece) {
          places[piece] += task;
          return false;
        });
        for (int place : places) sum += place;
      }
    });
    require(sum == pieces * 11480, "a piece was lost, or done twice");  // the sum of 1 … n, summed over n up to 40
  }
  require(helped > 0, "a team without members");
}

// Pieces that are offered again, as the chunks of a slice are. Each does its steps in order, on any thread. The largest
// task has all of a team's pieces.
void pieces_again(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    const int pieces = round % 7 == 0 ? Team::most_pieces : 1 + round % 5;
    std::vector<std::vector<int>> steps(static_cast<std::size_t>(pieces));
    with_team(2 + round % 3, [&](Team& team) {
      team.share(pieces, [&](int piece) {
        std::vector<int>& mine = steps[static_cast<std::size_t>(piece)];
        mine.push_back(static_cast<int>(mine.size()));
        return static_cast<int>(mine.size()) < 10 + piece % 3;
      });
    });
    for (int piece = 0; piece < pieces; ++piece) {
      const std::vector<int>& found = steps[static_cast<std::size_t>(piece)];
      require(static_cast<int>(found.size()) == 10 + piece % 3, "a piece had too few steps, or too many");
      for (int n = 0; n < 10; ++n) require(found[static_cast<std::size_t>(n)] == n, "steps of a piece out of order");
    }
  }
}

// A helper that does not come delays nothing, and one that comes late finds nothing to do.
void helpers_that_do_not_come(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    Team team;
    team.open(4);
    int done = 0;
    team.share(4, [&](int) {
      ++done;
      return false;
    });
    require(done == 4, "the caller left something undone");
    team.close();
    team.serve(1);
  }
}

// An exception of a piece reaches the caller after the other pieces are done, and the threads serve the next call.
void failures(int rounds) {
  for (int round = 0; round < rounds; ++round) {
    const int pieces = 2 + round % 3;
    std::atomic<int> done{0};
    bool caught = false, after = false;
    try {
      with_team(pieces, [&](Team& team) {
        try {
          team.share(pieces, [&](int n) {
            ++done;
            if (n == round % pieces || round % 5 == 0) throw std::bad_alloc();
            return false;
          });
        } catch (const std::bad_alloc&) {
          team.share(1, [&](int) {
            after = true;
            return false;
          });
          throw;
        }
      });
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    require(caught && done == pieces && after, "a failure was lost, or did not wait for the others");
  }
}

// Many callers: one has the threads, the others run alone, and all complete their work.
void callers_at_once(int callers, int rounds) {
  std::vector<std::thread> threads;
  std::atomic<int> helped{0};
  for (int caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&, caller] {
      for (int round = 0; goes_on(round, rounds, helped); ++round) {
        const int pieces = 2 + (round + caller) % 3;
        std::vector<int> places(static_cast<std::size_t>(pieces), 0);
        int sum = 0;
        helped += with_team(pieces, [&](Team& team) {
          for (int phase = 1; phase <= 3; ++phase) {
            team.share(pieces, [&](int n) {
              places[n] += phase * (n + 1);
              return false;
            });
            for (int place : places) sum += place;
          }
        });
        require(sum == 10 * pieces * (pieces + 1) / 2, "the caller missed what a helper wrote");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  require(helped > 0, "nobody had help");
}

// Every thread that runs a piece treats subnormal numbers as zeros; the caller does so only during the call.
void modes(int rounds) {
#if defined(__x86_64__) || defined(__aarch64__)
  const auto honours = [] {
    volatile float tiny = 1e-40f, one = 1;
    return tiny * one != 0;
  };
  require(honours(), "the mode is not the usual one to begin with");
  for (int round = 0; round < rounds; ++round) {
    std::vector<char> flushed(2, 0);
    try {
      const recurra::FlushSubnormals flush;
      with_team(2, [&](Team& team) {
        team.share(2, [&](int piece) {
          flushed[static_cast<std::size_t>(piece)] = !honours();
          return false;
        });
      });
      throw std::bad_alloc();
    } catch (const std::bad_alloc&) {
      require(honours(), "a failure left the mode behind");
    }
    require(flushed[0] && flushed[1], "a thread honours subnormal numbers");
  }
#else
  (void)rounds;
#endif
}

// The estimate alone, on invented times in nanoseconds.
void payoffs() {
  constexpr std::int64_t ms = 1'000'000;
  recurra::Payoff payoff;
  std::int64_t now = 100 * ms;
  payoff.learn(now, now + 10 * ms, 3 * ms);
  require(payoff.pays(now + 10 * ms), "a small loss ended it");
  payoff.learn(now, now + ms / 10, ms / 10);
  require(payoff.pays(now + ms), "a short call's loss ended it");
  recurra::Payoff good;
  for (int n = 0; n < 20; ++n) good.learn(now, now + ms, ms / 5);  // gains add up, up to a bound
  good.learn(now, now + 2 * ms, 2 * ms);
  require(good.pays(now + 2 * ms), "one call that helpers came late to ended it");
  good.learn(now, now + 20 * ms, 20 * ms);
  require(!good.pays(now + 20 * ms), "good calls of old excuse a large loss");
  std::int64_t pause = 0;
  for (int n = 0; n < 20; ++n) {  // under a lasting load, trying costs less and less
    payoff.learn(now, now + 10 * ms, 9 * ms);
    now += 10 * ms;
    require(!payoff.pays(now), "a loss was forgotten");
    std::int64_t waited = 0;
    while (!payoff.pays(now + waited)) waited += ms;
    require(waited >= pause && waited <= 2000 * ms, "pauses do not grow, or without bound");
    pause = waited;
    now += waited;
  }
  require(pause > 500 * ms, "trying again and again costs too much");
  now += 60'000 * ms;  // the load is gone; one late helper is not a load
  payoff.learn(now, now + 10 * ms, 9 * ms);
  require(payoff.pays(now + 100 * ms), "one loss after a good time is held against the threads for long");
}

// Code written by hand: the product x W before the loop, h' = x W + h U in the loop, y = h' + h' after it. With
// `summed`, also a sum over rows of x and h', for which the slices of the batch wait for each other.
std::vector<std::int64_t> code_of(std::int64_t lanes, std::int64_t n, bool summed) {
  const auto joined = [](std::initializer_list<std::vector<std::int64_t>> lists) {
    std::vector<std::int64_t> all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
  };
  const std::int64_t vectors = (n + lanes - 1) / lanes, outputs = 1;
  const std::vector<std::int64_t> head = {lanes, 0, 24, 8, 2, n, n, 2, n, n, 1, n, outputs, n, 1, n};
  const std::vector<std::int64_t> values = {9, 5, n, n,  0, 0,  // 0: W
                                            5, n, n, 1,  0,     // 1: U
                                            6, n, 1, 0,  0,     // 2: x
                                            3, n, 1, 0,  0,     // 3: h
                                            4, n, 1, 0,  0,     // 4: h'
                                            1, n, 1, -1, 0,     // 5: x W, of a chunk
                                            1, n, 1, -1, 0,     // 6: h', of a chunk
                                            7, n, 1, 0,  0,     // 7: y
                                            0, n, n, -1, 0};    // 8: the sum over rows
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
  const auto draw = [&] {
    return static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f;
  };
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
    const std::vector<Problem> problems = {{50, 41, 37, summed, false, {}},
                                           {50, 40, 40, summed, true, lengths},
                                           {50, 40, 40, summed, false, lengths},
                                           {50, 300, 1, summed, true, {}}};
    std::vector<Answer> expected;
    for (const Problem& p : problems) expected.push_back(solve(executor, p, 1));
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&, caller] {
        for (int round = 0; round < rounds; ++round) {
          const std::size_t which = static_cast<std::size_t>(round + caller) % problems.size();
          require(solve(executor, problems[which], 2 + round % 7) == expected[which], "threads changed a result");
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
}

// The cross-entropy by parts of the classes, and by groups of rows, with all gradients: threads change no bit.
void cross_entropies(int rounds) {
  struct Loss {
    double sum;
    std::vector<float> of_hidden, of_weight, of_bias;
    bool operator==(const Loss&) const = default;
  };
  const auto loss = [](std::int64_t rows, std::int64_t classes, int threads) {
    const std::int64_t features = 9;
    unsigned state = 1;
    const auto drawn = [&](std::int64_t size) {
      std::vector<float> numbers(static_cast<std::size_t>(size));
      for (float& v : numbers) v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f;
      return numbers;
    };
    const std::vector<float> hidden = drawn(rows * features), weight = drawn(classes * features), bias = drawn(classes);
    std::vector<std::int64_t> targets(static_cast<std::size_t>(rows));
    for (std::size_t row = 0; row < targets.size(); ++row) targets[row] = static_cast<std::int64_t>(row * 7) % classes;
    Loss made{0, hidden, weight, bias};
    const recurra::LinearNats<float> problem{rows,
                                             features,
                                             classes,
                                             hidden.data(),
                                             weight.data(),
                                             bias.data(),
                                             targets.data(),
                                             made.of_hidden.data(),
                                             made.of_weight.data(),
                                             made.of_bias.data()};
    recurra::Arena memory;
    made.sum = recurra::linear_nats(problem, 1 << 20, threads, memory, recurra::active_kernels().f32);
    return made;
  };
  for (const auto& [rows, classes] : {std::pair{300, 3000}, std::pair{1100, 60}}) {
    const Loss expected = loss(rows, classes, 1);
    for (int round = 0; round < rounds; ++round) {
      require(loss(rows, classes, 2 + round % 7) == expected, "a cross-entropy differs");
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 40;
  payoffs();
  helpers_that_do_not_come(50 * rounds);
  callers_at_once(1, 50 * rounds);
  callers_at_once(4, 50 * rounds);
  tasks_of_a_team(5 * rounds);
  pieces_again(5 * rounds);
  modes(5 * rounds);
  failures(50 * rounds);
  executors(rounds);
  cross_entropies(rounds);
  std::puts("pool_test: all well");
}
