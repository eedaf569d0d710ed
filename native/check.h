// Whether decoded code fits together: what lets the executor trust it.
#pragma once

#include "code.h"

namespace recurra {

// Throws std::invalid_argument where an instruction would read or write what is not there.
void check(const Code& code, std::int64_t lanes);

}  // namespace recurra
