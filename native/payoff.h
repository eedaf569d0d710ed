// Whether helping threads pay at present.
#pragma once

#include <algorithm>
#include <cstdint>

namespace recurra {

// On a busy machine a helper may lose its processor in the middle of a piece, for as long as the others' turns take, and the
// caller waits. Such a loss is paid back by working alone for a multiple of it: at first a small one, as even a machine that is
// idle has its moments; twice as much each time that it comes again soon. So whatever the load, what trying costs is a bounded
// share of the time, and what is missed after a load has gone is bounded too. All times are in nanoseconds.
class Payoff {
 public:
  bool pays(std::int64_t now) const { return now >= alone_until_; }

  // A call with helpers that took so long from `begin` to `end`, of which the caller spent `lost` waiting or off its processor.
  // Threads can halve the time of a call, so that one that loses half of it has gained nothing; a third is taken, as
  // the caller has often done more than its half.
  void learn(std::int64_t begin, std::int64_t end, std::int64_t lost) {
    if (lost < least || lost * 3 < end - begin) return;
    const bool soon = begin - alone_until_ < 4 * pause_;
    factor_ = soon ? std::min(2 * factor_, most_factor) : least_factor;
    pause_ = std::min(lost * factor_, longest);
    alone_until_ = end + pause_;
  }

 private:
  static constexpr std::int64_t least = 200'000, longest = 2'000'000'000, least_factor = 4, most_factor = 64;
  std::int64_t alone_until_ = 0, pause_ = 0, factor_ = least_factor;
};

}  // namespace recurra
