#include "processors.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace recurra {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

#ifdef __linux__

// The processors that a control group of version 2 allows; its file reads "max 100000" or "150000 100000".
double quota_of_version_2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : unlimited;
}

double quota_of_version_1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : unlimited;
}

// The smallest quota of a group and the groups around it. Inside of a container, the path may be the host's, and not
// exist.
template <class F>
double smallest_quota(const std::string& root, std::string path, F quota_of) {
  double quota = quota_of(root);
  while (path.size() > 1) {
    quota = std::min(quota, quota_of(root + path));
    path.resize(path.rfind('/'));
  }
  return quota;
}

double quota() {
  std::ifstream groups("/proc/self/cgroup");  // with lines such as "0::/path" and "4:cpu,cpuacct:/path"
  double smallest = unlimited;
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string path = line.substr(second + 1);
    if (path.empty() || path.front() != '/') continue;
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    std::string controller;
    if (!std::getline(controllers, controller, ',')) {
      smallest = std::min(smallest, smallest_quota("/sys/fs/cgroup", path, quota_of_version_2));
    }
    for (; controllers; std::getline(controllers, controller, ',')) {
      if (controller == "cpu")
        smallest = std::min(smallest, smallest_quota("/sys/fs/cgroup/cpu", path, quota_of_version_1));
    }
  }
  return smallest;
}

int by_affinity() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
  return std::numeric_limits<int>::max();  // there are more processors than the set can hold
}

#else

double quota() { return unlimited; }

int by_affinity() {
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? static_cast<int>(count) : 1;
}

#endif

int look() {
  const double most = std::min(std::ceil(quota()), static_cast<double>(by_affinity()));
  return std::max(1, static_cast<int>(most));
}

}  // namespace

int processors_allowed() {
  static std::atomic<std::int64_t> next_look{std::numeric_limits<std::int64_t>::min()};
  static std::atomic<int> found{1};
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (now >= next_look.load(std::memory_order_acquire)) {  // two threads may look at the same time, and find the same
    found.store(look(), std::memory_order_relaxed);
    next_look.store(now + 1'000'000'000, std::memory_order_release);
  }
  return found.load(std::memory_order_relaxed);
}

}  // namespace recurra
