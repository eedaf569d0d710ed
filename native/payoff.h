// Whether helping threads pay: at present, and for the work at hand.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace recurra {

// On a busy machine a helper may lose its processor in the middle of a piece, for as long as the others' turns take,
// and the caller waits. Such a loss is paid back by working alone for a multiple of it: at first a small one, as even a
// machine that is idle has its moments; twice as much each time that it comes again soon. So whatever the load, what
// trying costs is a bounded share of the time, and what is missed after a load has gone is bounded too. All times are
// in nanoseconds.
class Payoff {
 public:
  bool pays(std::int64_t now) const { return now >= alone_until_; }

  // A call with helpers that took so long from `begin` to `end`, of which the caller spent `lost` waiting or off its
  // processor. Alone it would have taken twice the rest, if help is worth anything: so what a call has brought is its
  // time less twice the loss. Calls are judged together: the first one behind a pause finds helpers asleep, and one
  // that is late now and then is made up for by the others.
  void learn(std::int64_t begin, std::int64_t end, std::int64_t lost) {
    balance_ = std::min(balance_ + (end - begin) - 2 * lost, most_credit);
    if (balance_ > -least) return;
    const bool soon = begin - alone_until_ < 4 * pause_;
    factor_ = soon ? std::min(2 * factor_, most_factor) : least_factor;
    pause_ = std::min(-balance_ * factor_, longest);
    alone_until_ = end + pause_;
    balance_ = 0;
  }

 private:
  static constexpr std::int64_t least = 200'000, most_credit = 2'000'000, longest = 2'000'000'000;
  static constexpr std::int64_t least_factor = 4, most_factor = 64;
  std::int64_t alone_until_ = 0, pause_ = 0, factor_ = least_factor, balance_ = 0;
};

// Whether work that can have helpers is the faster for it: how fast processors hear of each other differs between
// machines by more than any count of operations tells. Calls show it; now and then one goes the other way, the more
// seldom the clearer the answer is. Any number of callers may use it at once.
class Preference {
 public:
  // Whether the next call should run alone.
  bool alone() {
    const bool better = alone_is_better();
    if (left_.fetch_sub(1, std::memory_order_relaxed) > 1) return better;
    const int trials = trials_.fetch_add(1, std::memory_order_relaxed);
    const float together = together_.load(std::memory_order_relaxed), alone = alone_.load(std::memory_order_relaxed);
    const int most = !better && alone > 1.25f * together ? 4096 : 128;
    left_.store(trials < 9 ? std::min(8 << trials, most) : most, std::memory_order_relaxed);
    return !better;
  }

  // What a call took, per unit of its work. The estimate is the least of late: a call that lost its processor says
  // nothing.
  void learn(bool alone, double took) {
    std::atomic<float>& estimate = alone ? alone_ : together_;
    const float before = estimate.load(std::memory_order_relaxed), now = static_cast<float>(took);
    estimate.store(before == 0 ? now : std::min(now, before * 1.03f), std::memory_order_relaxed);
  }

 private:
  bool alone_is_better() const {
    const float alone = alone_.load(std::memory_order_relaxed);
    return alone > 0 && alone < together_.load(std::memory_order_relaxed) * 0.95f;
  }

  std::atomic<float> together_{0}, alone_{0};
  std::atomic<int> left_{4}, trials_{0};  // calls until the next trial, and how many there were
};

}  // namespace recurra
