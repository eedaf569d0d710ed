// Tiles: eight registers of 16 rows of 16 words each, and the product of two of them. They are those of AMX, or, if
// RECURRA_EMULATED_TILES is defined, the same in plain C++. Included inside of a target's unnamed namespace.

constexpr std::size_t tile_side = 16;  // rows of a tile, and words of a row

// The products that are added up: of pairs of bfloat16; of four numbers of 8 bits, those of A unsigned, those of B signed.
enum class TileProduct { bfloat16, bytes };

#ifdef RECURRA_EMULATED_TILES

class Tiles {
 public:
  void configure() { is_configured_ = true; }
  void release() { is_configured_ = false; }
  template <int T>
  void zero() {
    if (!is_configured_) __builtin_trap();  // as the processor does
    for (auto& row : tiles_[T]) row = Words{};
  }
  template <int T>
  void load(const void* words, std::size_t stride) {
    for (std::size_t r = 0; r < tile_side; ++r) {
      __builtin_memcpy(&tiles_[T][r], (const std::uint32_t*)words + r * stride, sizeof(Words));
    }
  }
  template <int T>
  void store(void* sums, std::size_t stride) const {
    for (std::size_t r = 0; r < tile_side; ++r) {
      __builtin_memcpy((std::uint32_t*)sums + r * stride, &tiles_[T][r], sizeof(Words));
    }
  }
  template <TileProduct P, int C, int A, int B>
  void add_products() {
    if constexpr (P == TileProduct::bytes) add_bytes<C, A, B>();
    else add_pairs_of_bfloat16<C, A, B>();
  }

 private:
  // As Intel's manual states TDPBUSD: sums are exact modulo 2^32.
  template <int C, int A, int B>
  void add_bytes() {
    for (std::size_t r = 0; r < tile_side; ++r) {
      for (std::size_t k = 0; k < tile_side; ++k) {
        for (int j = 0; j < 4; ++j) {
          const Words a = Words{} + (tiles_[A][r][k] >> 8 * j & 0xffu);
          tiles_[C][r] += a * (Words)((Ints)(tiles_[B][k] << (24 - 8 * j)) >> 24);
        }
      }
    }
  }
  // As it states TDPBF16PS: the products of even k and those of odd k are added up for themselves.
  template <int C, int A, int B>
  void add_pairs_of_bfloat16() {
    for (std::size_t r = 0; r < tile_side; ++r) {
      Floats even = {}, odd = {};
      for (std::size_t k = 0; k < tile_side; ++k) {
        const Words a = Words{} + tiles_[A][r][k], b = tiles_[B][k];
        even += (Floats)(a << 16) * (Floats)(b << 16);
        odd += (Floats)(a & 0xffff0000u) * (Floats)(b & 0xffff0000u);
      }
      tiles_[C][r] = (Words)((Floats)tiles_[C][r] + (even + odd));
    }
  }

  bool is_configured_ = false;
  Words tiles_[8][tile_side];
};

#else

// The thread's tiles. They must be configured before use, as other libraries configure them for themselves, and released
// after it, as a change of threads saves tiles in use. No destructor does so, since a target that handles exceptions
// would export a symbol for that. Written in assembly, as the intrinsics of GCC 12 do not say that they read memory.
class Tiles {
 public:
  void configure() {
    struct alignas(64) {
      std::uint8_t palette = 1, first_row = 0, reserved[14] = {};
      std::uint16_t bytes_of_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    static_assert(sizeof configuration == 64);
    __asm__ volatile("ldtilecfg %0" : : "m"(configuration));
  }
  void release() { __asm__ volatile("tilerelease"); }
  template <int T>
  void zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  // Rows are `stride` words apart.
  template <int T>
  void load(const void* words, std::size_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(words), "r"(stride * 4), "i"(T) : "memory");
  }
  template <int T>
  void store(void* sums, std::size_t stride) const {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(sums), "r"(stride * 4), "i"(T) : "memory");
  }
  // Adds the products of A's rows and B's columns to C; the numbers of a word are those of consecutive k.
  template <TileProduct P, int C, int A, int B>
  void add_products() {
    if constexpr (P == TileProduct::bytes) {
      __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
    } else {
      __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
    }
  }
};

#endif
