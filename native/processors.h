// How many processors this process may use.
#pragma once

namespace recurra {

// The processors that its affinity allows, or fewer if the control groups that it is in have a smaller quota of time,
// rounded up. Looked at anew about once a second.
int processors_allowed();

}  // namespace recurra
