#include "nats.h"

#include <algorithm>
#include <vector>

#include "nats_rows.h"
#include "pool.h"
#include "processors.h"
#include "subnormals.h"

namespace recurra {
namespace {

// Up to so many classes, threads share out groups of rows instead of parts of the classes.
constexpr std::int64_t few_classes = 2048, rows_of_group = 256, most_groups = 16;

// Runs all rows of a problem, as many at a time as there is memory for.
template <class T>
double run_rows(const LinearNats<T>& problem, std::size_t parts, std::size_t most_bytes, Team& team, Arena& memory,
                const Routines<T>& routines) {
  const auto most = static_cast<std::int64_t>(nats::Rows<T>::fitting(problem, parts, most_bytes, routines));
  const std::int64_t pieces = (problem.rows + most - 1) / most;
  double total = 0;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    const std::int64_t first = problem.rows * piece / pieces, end = problem.rows * (piece + 1) / pieces;
    total += nats::Rows<T>(problem, first, end - first, parts, memory, routines).run(team);
  }
  return total;
}

// Groups of rows of a problem with few classes: threads take them one by one. Each has gradients of the map of its own,
// which are added up in the end.
template <class T>
class Groups {
 public:
  Groups(const LinearNats<T>& problem, std::int64_t count, Arena& memory, const Routines<T>& routines)
      : p_(problem), count_(count), r_(routines) {
    const auto carve = [&](Carver<T> carver) {
      for (Map& each : maps_) {
        each.weight = carver.take(problem.of_weight == nullptr ? 0 : weights());
        each.bias = carver.take(problem.of_bias == nullptr ? 0 : classes());
      }
      return carver.used;
    };
    maps_.resize(static_cast<std::size_t>(count_));
    carve({memory.take<T>(carve(Carver<T>{})), 0});
  }

  // The number of groups, which are worth their own gradients, whose memory is at most `most_bytes`; at least one.
  static std::int64_t count_of(const LinearNats<T>& problem, std::size_t most_bytes) {
    if (problem.classes > few_classes || problem.rows < rows_of_group) return 1;
    const std::size_t each = static_cast<std::size_t>(problem.classes * (problem.features + 1)) * sizeof(T);
    const auto most = static_cast<std::int64_t>(std::clamp<std::size_t>(most_bytes / each, 1, most_groups));
    return std::min((problem.rows + rows_of_group - 1) / rows_of_group, most);
  }

  double run(std::size_t most_bytes, Team& team) {
    std::vector<double> totals(maps_.size());
    team.share(static_cast<int>(count_), [&](int group) {
      totals[static_cast<std::size_t>(group)] = run_group(group, most_bytes);
      return false;
    });
    if (p_.of_weight != nullptr) add(p_.of_weight, weights(), &Map::weight);
    if (p_.of_bias != nullptr) add(p_.of_bias, classes(), &Map::bias);
    double total = 0;
    for (const double each : totals) total += each;
    return total;
  }

 private:
  struct Map {
    T *weight, *bias;
  };

  std::size_t classes() const { return static_cast<std::size_t>(p_.classes); }
  std::size_t weights() const { return classes() * static_cast<std::size_t>(p_.features); }

  double run_group(int group, std::size_t most_bytes) const {
    thread_local Arena memory;
    const Map& map = maps_[static_cast<std::size_t>(group)];
    const std::int64_t first = p_.rows * group / count_, end = p_.rows * (group + 1) / count_;
    LinearNats<T> own = p_;
    own.rows = end - first;
    own.hidden += first * p_.features, own.targets += first;
    if (own.of_hidden != nullptr) own.of_hidden += first * p_.features;
    if (own.of_weight != nullptr) own.of_weight = map.weight;
    if (own.of_bias != nullptr) own.of_bias = map.bias;
    Team alone;
    const double total = run_rows(own, 1, most_bytes, alone, memory, r_);
    memory.trim();
    return total;
  }

  void add(T* out, std::size_t size, T* Map::* of) const {
    std::copy(maps_[0].*of, maps_[0].*of + size, out);
    for (std::size_t group = 1; group < maps_.size(); ++group) {
      const T* from = maps_[group].*of;
      for (std::size_t i = 0; i < size; ++i) out[i] += from[i];
    }
  }

  const LinearNats<T>& p_;
  const std::int64_t count_;
  const Routines<T>& r_;
  std::vector<Map> maps_;
};

template <class T>
void put_zeros(T* out, std::int64_t count) {
  if (out != nullptr) std::fill_n(out, count, T(0));
}

}  // namespace

template <class T>
double linear_nats(const LinearNats<T>& problem, std::size_t most_bytes, int threads, Arena& memory,
                   const Routines<T>& routines) {
  if (problem.rows == 0) {
    put_zeros(problem.of_weight, problem.classes * problem.features);
    put_zeros(problem.of_bias, problem.classes);
    return 0;
  }
  const std::int64_t groups = Groups<T>::count_of(problem, most_bytes);
  const double work = static_cast<double>(problem.rows) * static_cast<double>(problem.classes * problem.features);
  const bool is_one_piece = groups == 1 && problem.classes <= static_cast<std::int64_t>(nats::most_classes);
  double total = 0;
  with_helpers(is_one_piece || work < 150000 ? 1 : std::min(threads, processors_allowed()), [&](Team& team) {
    const FlushSubnormals flush;
    total = groups > 1 ? Groups<T>(problem, groups, memory, routines).run(most_bytes, team)
                       : run_rows(problem, nats::most_parts, most_bytes, team, memory, routines);
  });
  return total;
}

template double linear_nats(const LinearNats<float>&, std::size_t, int, Arena&, const Routines<float>&);
template double linear_nats(const LinearNats<double>&, std::size_t, int, Arena&, const Routines<double>&);

}  // namespace recurra
