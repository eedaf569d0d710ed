// The number of processors that this process may use.
#pragma once

namespace recurra {

// The number of processors that the process's affinity allows; fewer if its control groups have a smaller quota of
// time, which is rounded up. The answer is renewed about once a second.
int processors_allowed();

}  // namespace recurra
