// Estimates whether helping threads make calls faster: on the machine at present, and for given work.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace recurra {

// Decides on helpers by the machine's load. On a busy machine, a helper may lose its processor in the middle of a piece
// until other processes have had their turns, and the caller waits. After such a loss, callers work alone for a
// multiple of the lost time. The multiple is small at first, as even an idle machine loses time now and then, and
// doubles each time that a loss soon follows. So the cost of trying is a bounded share of the time under any load, and
// the time without helpers after a load has gone is bounded too. All times are in nanoseconds.
class Payoff {
 public:
  bool pays(std::int64_t now) const { return now >= alone_until_; }

  // Learns from a call with helpers, from `begin` to `end`. The caller spent `lost` of that time waiting or off its
  // processor. If help is worth anything, the caller alone would have taken twice the rest. So the gain of a call is
  // its time less twice the loss. Gains of calls add up: the first call after a pause finds helpers asleep, and other
  // calls make up for an occasional late one.
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

// Decides on helpers for one kind of work, by measured times: how fast processors communicate differs between machines
// by more than any count of operations tells. Now and then a call tries the other way; the clearer the answer, the more
// seldom. Any number of callers may use it at once.
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

  // Learns the time that a call took per unit of its work. The estimate is the least of recent times, as the time of a
  // call that lost its processor says nothing.
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
  std::atomic<int> left_{4}, trials_{0};  // calls until the next trial, and the number of past trials
};

}  // namespace recurra
