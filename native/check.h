// Checks that decoded code fits together, so that the executor can trust it.
#pragma once

#include "code.h"

namespace recurra {

// Throws std::invalid_argument if an instruction would read or write outside of a value.
void check(const Code& code, std::int64_t lanes);

}  // namespace recurra
