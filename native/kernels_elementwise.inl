// Elementwise operations as data: a list of operations that runs over one block of rows and vectors after the other.

template <class T>
struct Block {
  const MicroOp* op;
  const Slot<T>* slots;
  std::size_t row, vector;    // the first ones of the block
  std::size_t rows, vectors;  // the size of the block

  T* at(std::int32_t number) const {
    const Slot<T>& slot = slots[number];
    if (slot.is_block) return slot.base;
    return slot.base + (std::ptrdiff_t)row * slot.row_stride +
           slot.column_step * (std::ptrdiff_t)(vector * width_of<T>);
  }
};

// Reads one operand of an operation in a block.
template <class T>
struct Reader {
  const T* p;
  std::ptrdiff_t row_stride, step;
  Reader(const Block<T>& block, std::int32_t number)
      : p(block.at(number)),
        row_stride(block.slots[number].row_stride),
        step(block.slots[number].column_step * (std::ptrdiff_t)width_of<T>) {}
  Vector<T> operator()(std::size_t r, std::size_t v) const {
    return load(p + (std::ptrdiff_t)r * row_stride + (std::ptrdiff_t)v * step);
  }
};

template <class T, class F>
inline void each(const Block<T>& block, F f) {
  T* out = block.at(block.op->result);
  const Slot<T>& slot = block.slots[block.op->result];
  const std::size_t vectors = block.vectors;
  const std::ptrdiff_t stride = slot.row_stride;
  for (std::size_t r = 0; r < block.rows; ++r) {
    for (std::size_t v = 0; v < vectors; ++v) store(out + (std::ptrdiff_t)r * stride + v * width_of<T>, f(r, v));
  }
}

template <class T, class F>
inline void unary(const Block<T>& block, F f) {
  const Reader<T> a(block, block.op->a);
  each(block, [&](std::size_t r, std::size_t v) { return f(a(r, v)); });
}

template <class T, class F>
inline void binary(const Block<T>& block, F f) {
  const Reader<T> a(block, block.op->a), b(block, block.op->b);
  each(block, [&](std::size_t r, std::size_t v) { return f(a(r, v), b(r, v)); });
}

template <class T, class F>
inline void ternary(const Block<T>& block, F f) {
  const Reader<T> a(block, block.op->a), b(block, block.op->b), c(block, block.op->c);
  each(block, [&](std::size_t r, std::size_t v) { return f(a(r, v), b(r, v), c(r, v)); });
}

// The number of elements that the caller's array has in vector v of the block.
template <class T>
inline std::size_t present(const Block<T>& block, std::size_t v) {
  const std::size_t begin = (block.vector + v) * width_of<T>, end = (std::size_t)block.op->width;
  return end <= begin ? 0 : end - begin < width_of<T> ? end - begin : width_of<T>;
}

template <class T>
inline void load_rows(const Block<T>& block) {
  const Slot<T>& from = block.slots[block.op->a];
  const T* p = block.at(block.op->a);
  each(block, [&](std::size_t r, std::size_t v) {
    const T* source = p + (std::ptrdiff_t)r * from.row_stride;
    if (from.column_step == 0) return splat<T>(*source);
    const std::size_t n = present(block, v);
    return n == width_of<T> ? load(source + v * width_of<T>) : n ? load_part(source + v * width_of<T>, n) : Vector<T>{};
  });
}

template <class T>
inline void store_rows(const Block<T>& block) {
  const Slot<T>& to = block.slots[block.op->result];
  const Reader<T> a(block, block.op->a);
  T* p = block.at(block.op->result);
  for (std::size_t r = 0; r < block.rows; ++r) {
    for (std::size_t v = 0; v < block.vectors; ++v) {
      const std::size_t n = present(block, v);
      T* out = p + (std::ptrdiff_t)r * to.row_stride + v * width_of<T>;
      if (n == width_of<T>) store(out, a(r, v));
      else if (n) store_part(out, a(r, v), n);
    }
  }
}

template <class T>
inline void run_op(const Block<T>& block) {
  typedef Vector<T> V;
  const V one = splat<T>(1), zero = {};
  switch (block.op->op) {
    case Op::copy: return unary(block, [](V a) { return a; });
    case Op::load: return load_rows(block);
    case Op::store: return store_rows(block);
    case Op::add: return binary(block, [](V a, V b) { return a + b; });
    case Op::subtract: return binary(block, [](V a, V b) { return a - b; });
    case Op::multiply: return binary(block, [](V a, V b) { return a * b; });
    case Op::divide: return binary(block, [](V a, V b) { return a / b; });
    case Op::power: return binary(block, [](V a, V b) { return vpow(a, b); });
    case Op::negative: return unary(block, [](V a) { return -a; });
    case Op::sigmoid: return unary(block, [](V a) { return vsigmoid(a); });
    case Op::tanh: return unary(block, [](V a) { return vtanh(a); });
    case Op::relu: return unary(block, [=](V a) { return a <= zero ? zero : a; });  // keeps NaN
    case Op::exp: return unary(block, [](V a) { return vexp(a); });
    case Op::log: return unary(block, [](V a) { return vlog(a); });
    case Op::softplus: return unary(block, [](V a) { return vsoftplus(a); });
    case Op::sqrt: return unary(block, [](V a) { return vsqrt(a); });
    case Op::abs: return unary(block, [](V a) { return vabs(a); });
    case Op::sin: return unary(block, [](V a) { return vsin(a); });
    case Op::cos: return unary(block, [](V a) { return vcos(a); });
    case Op::erf: return unary(block, [](V a) { return verf(a); });
    case Op::sign: return unary(block, [=](V a) { return a > zero ? one : a < zero ? -one : a == zero ? zero : a; });
    case Op::floor: return unary(block, [](V a) { return vfloor(a); });
    case Op::minimum: return binary(block, [](V a, V b) { return vmin(a, b); });
    case Op::maximum: return binary(block, [](V a, V b) { return vmax(a, b); });
    case Op::clip: return ternary(block, [](V a, V b, V c) { return vmin(vmax(a, b), c); });
    case Op::less: return binary(block, [=](V a, V b) { return a < b ? one : zero; });
    case Op::less_equal: return binary(block, [=](V a, V b) { return a <= b ? one : zero; });
    case Op::greater: return binary(block, [=](V a, V b) { return a > b ? one : zero; });
    case Op::greater_equal: return binary(block, [=](V a, V b) { return a >= b ? one : zero; });
    case Op::equal: return binary(block, [=](V a, V b) { return a == b ? one : zero; });
    case Op::not_equal: return binary(block, [=](V a, V b) { return a != b ? one : zero; });
    case Op::where: return ternary(block, [=](V a, V b, V c) { return a != zero ? b : c; });
    case Op::multiply_add: return ternary(block, [](V a, V b, V c) { return vm::fma(a, b, c); });
    case Op::one_minus: return unary(block, [=](V a) { return one - a; });
    case Op::one_minus_square: return unary(block, [=](V a) { return vm::fma(-a, a, one); });
    case Op::one_minus_multiply: return binary(block, [=](V a, V b) { return (one - a) * b; });
    case Op::one_minus_square_multiply: return binary(block, [=](V a, V b) { return vm::fma(-a, a, one) * b; });
    case Op::one_minus_multiply_add: return ternary(block, [=](V a, V b, V c) { return vm::fma(one - a, b, c); });
    case Op::mix: return ternary(block, [=](V a, V b, V c) { return vm::fma(one - a, b, a * c); });
    case Op::sigmoid_add: return binary(block, [](V a, V b) { return vsigmoid(a + b); });
    case Op::tanh_add: return binary(block, [](V a, V b) { return vtanh(a + b); });
    case Op::tanh_multiply_add: return ternary(block, [](V a, V b, V c) { return vtanh(vm::fma(a, b, c)); });
    case Op::sigmoid_multiply: return binary(block, [](V a, V b) { return vsigmoid(a) * b; });
    case Op::tanh_multiply: return binary(block, [](V a, V b) { return vtanh(a) * b; });
    case Op::sigmoid_tanh: return binary(block, [](V a, V b) { return vsigmoid(a) * vtanh(b); });
    case Op::sigmoid_multiply_add: return ternary(block, [](V a, V b, V c) { return vm::fma(vsigmoid(a), b, c); });
    case Op::count: break;
  }
}

template <class T>
void elementwise(const MicroOp* ops, std::size_t count, const Slot<T>* slots, std::size_t rows, std::size_t vectors) {
  const std::size_t wide = vectors < block_vectors ? vectors : block_vectors;
  const std::size_t high = block_vectors / wide;
  Block<T> block = {ops, slots, 0, 0, 0, 0};
  for (block.row = 0; block.row < rows; block.row += high) {
    block.rows = rows - block.row < high ? rows - block.row : high;
    for (block.vector = 0; block.vector < vectors; block.vector += wide) {
      block.vectors = vectors - block.vector < wide ? vectors - block.vector : wide;
      for (std::size_t i = 0; i < count; ++i) {
        block.op = ops + i;
        run_op(block);
      }
    }
  }
}

template <class T>
void reduce(Reduction kind, T* out, std::ptrdiff_t out_stride, const T* a, std::ptrdiff_t a_stride, std::size_t rows,
            std::size_t width) {
  constexpr std::size_t n = width_of<T>;
  for (std::size_t row = 0; row < rows; ++row, a += a_stride, out += out_stride) {
    std::size_t i = 0;
    T result;
    if (kind == Reduction::max) {
      result = a[0];
      for (i = 1; i < width; ++i) result = result != result || a[i] <= result ? result : a[i];  // keeps NaN
    } else {
      Vector<T> sums = {};
      for (; i + n <= width; i += n) sums += load(a + i);
      if (i < width) sums += load_part(a + i, width - i);
      for (std::size_t half = n / 2; half; half /= 2) {
        for (std::size_t l = 0; l < half; ++l) sums[l] += sums[l + half];
      }
      result = kind == Reduction::mean ? sums[0] / (T)width : sums[0];
    }
    store(out, splat<T>(result));
  }
}
