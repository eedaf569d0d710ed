// AMX: whether the processor has tiles, and the operating system lets this process use them.
#pragma once

namespace recurra {

// Whether the processor multiplies tiles of bfloat16.
bool has_bf16_tiles();

// Whether it multiplies tiles of numbers of 8 bits.
bool has_byte_tiles();

// Whether this process may use tiles. The first call asks the operating system for it, for all threads of the process.
bool may_use_tiles();

}  // namespace recurra
