#include "executor.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <type_traits>

#include "pool.h"

namespace recurra {

// The rows of one slice of the batch in one chunk of steps.
template <class T>
struct Executor<T>::Geometry {
  std::int64_t first_step = 0, steps = 0;
  std::int64_t from = 0, to = 0;         // sequences of the slice
  std::int64_t base = 0;                 // where the slice's rows begin in the chunk's arrays
  std::int64_t rows = 0;
  std::vector<std::int64_t> count, position;  // for each step its rows, and where they begin behind `base`
};

template <class T>
struct Executor<T>::Shared {
  const Call<T>* call = nullptr;
  const Constants<T>* constants = nullptr;
  std::vector<std::int64_t> cuts;           // of the batch: slice s is cuts[s] … cuts[s + 1]
  std::vector<std::int64_t> bases;          // where each slice's rows begin in the chunk's arrays: the same in all chunks,
                                            // as slices do not wait for each other
  std::vector<std::int64_t> row_offset;     // packed or reset: rows ahead of each step
  std::vector<std::pair<std::int64_t, std::int64_t>> chunks;  // first step, number of steps, in running order
  std::vector<T*> chunk_values;             // for each value its array, or null
  std::vector<T*> states;                   // for each state 2 × batch rows
  std::unique_ptr<std::atomic<std::size_t>[]> next_unit;  // of each chunk's sums, which one nobody has taken yet
  std::vector<T*> sums;                     // for each value that is a sum over rows its place
  Barrier* barrier = nullptr;               // of the slices' threads; null where there is one slice
  Worker* workers = nullptr;
  std::int64_t batch_at(std::int64_t t) const { return call->batch_sizes ? call->batch_sizes[t] : call->batch; }
};

template <class T>
struct Executor<T>::Worker {
  Shared* shared = nullptr;
  const Constants<T>* constants = nullptr;
  const std::vector<Fixed<const T>>* parameters = nullptr;
  std::vector<Slot<T>> slots;
  std::vector<const T*> a, b;
  std::vector<std::vector<Column<T>>> columns;  // for each matrix
  std::vector<std::pair<Slot<T>*, std::ptrdiff_t>> moves;  // how slots go on from step to step
  std::vector<Geometry> geometry;  // of every slice, in the chunk at hand
  const Geometry* mine = nullptr;
  T* frame = nullptr;   // constants
  T* blocks = nullptr;
  T* panel = nullptr;   // one panel, packed on the spot
  Team* team = nullptr;  // threads that share out a product's columns, and sums
  int parity = 0;
  std::int64_t alive = 0;  // sequences that the last step had
};

template <class T>
std::int64_t Executor<T>::vectors(const Matrix& m) const {
  std::int64_t n = 0;
  for (const MatrixPart& part : m.parts) n += padded(part.width) / lanes_;
  return n;
}

template <class T>
PackedSizes Executor<T>::sizes_of(const Matrix& m) const {
  return {static_cast<std::size_t>(m.k), routines_.lanes, routines_.panel_vectors};
}

template <class T>
std::size_t Executor<T>::panel_elements(const Matrix& m, Form form) const {
  return words_of(form, static_cast<std::size_t>(m.k)) * static_cast<std::size_t>(vectors(m) * lanes_);
}

template <class T>
Executor<T>::Executor(Code code, const Routines<T>& routines)
    : code_(std::move(code)), routines_(routines), lanes_(static_cast<std::int64_t>(routines.lanes)) {
  lay_out();
}

template <class T>
void Executor<T>::lay_out() {
  const std::size_t n = code_.values.size();
  offset_.assign(n, 0);
  block_stride_.assign(n, 0);
  for (std::size_t v = 0; v < n; ++v) {
    const Value& value = code_.values[v];
    std::int64_t* size = nullptr;
    std::int64_t elements = stride(value);
    if (value.space == Space::constant || value.space == Space::literal) {
      size = &constant_size_;
      elements = elements * std::max<std::int64_t>(1, value.rows) + static_cast<std::int64_t>(slack);
    } else if (value.space == Space::chunk) {
      size = &chunk_size_;
    } else if (value.space == Space::step) {
      size = &step_size_;
    }
    if (size != nullptr) {
      offset_[v] = *size;
      *size += elements;
    }
  }
  for (const auto* stage : {&code_.once, &code_.before, &code_.step, &code_.after, &code_.sums, &code_.finally_}) {
    for (const Instruction& i : *stage) {
      for (const MicroOp& op : i.ops) {
        block_stride_[op.result] = std::min<std::int64_t>(i.width, block_vectors) * lanes_;
      }
    }
  }
  auto moving = [&](const std::vector<Instruction>& stage) {
    std::vector<char> used(n, 0);
    auto use = [&](std::int32_t v) {
      if (v >= 0) used[v] = 1;
    };
    for (const Instruction& i : stage) {
      use(i.result), use(i.a), use(i.b);
      for (const MicroOp& op : i.ops) use(op.result), use(op.a), use(op.b), use(op.c);
      for (const ProductPart& p : i.parts) use(p.result), use(p.init);
      for (const MovePart& p : i.moves) use(p.result), use(p.source);
    }
    std::vector<std::int32_t> list;
    for (std::size_t v = 0; v < n; ++v) {
      const Space s = code_.values[v].space;
      if (used[v] && (s == Space::chunk || s == Space::input || s == Space::output || s == Space::state || s == Space::next)) {
        list.push_back(static_cast<std::int32_t>(v));
      }
    }
    return list;
  };
  moving_before_ = moving(code_.before);
  moving_step_ = moving(code_.step);
  moving_after_ = moving(code_.after);
  state_slots_.assign(code_.states.size(), {-1, -1});
  for (const std::int32_t v : moving_step_) {
    const Value& value = code_.values[v];
    if (value.space == Space::state) state_slots_[value.number].first = v;
    if (value.space == Space::next) state_slots_[value.number].second = v;
  }
  for (std::size_t s = 0; s < code_.sums.size(); ++s) {
    const Instruction& i = code_.sums[s];
    const std::int64_t all = padded(i.width) / lanes_;
    const std::int64_t piece = i.kind == Kind::outer ? static_cast<std::int64_t>(routines_.panel_vectors) : all;
    for (std::int64_t v = 0; v < all; v += piece) {
      units_.push_back({static_cast<std::int32_t>(s), v, std::min(all, v + piece)});
    }
  }
  for (const Matrix& m : code_.matrices) {
    const std::int64_t widest = std::min<std::int64_t>(vectors(m), static_cast<std::int64_t>(routines_.panel_vectors));
    widest_panel_ = std::max(widest_panel_, static_cast<std::size_t>(m.k * widest * lanes_));
  }
}

template <class T>
void Executor<T>::fill_slots(std::vector<Slot<T>>& slots, T* frame, T* blocks) const {
  const std::size_t n = code_.values.size();
  slots.assign(n, Slot<T>{nullptr, 0, 1, 0});
  for (std::size_t v = 0; v < n; ++v) {
    const Value& value = code_.values[v];
    Slot<T>& slot = slots[v];
    slot.column_step = value.is_scalar ? 0 : 1;
    slot.row_stride = stride(value);
    if (value.space == Space::constant || value.space == Space::literal) {
      slot.base = frame + offset_[v];
      if (value.rows <= 1) slot.row_stride = 0;
    } else if (value.space == Space::block) {
      slot.base = blocks + value.number * static_cast<std::int64_t>(block_vectors) * lanes_;
      slot.row_stride = block_stride_[v];
      slot.is_block = 1;
    }
  }
}

// ---- constants ----

template <class T>
void Executor<T>::run_once(Worker& w, T* frame, const std::vector<Fixed<const T>>& parameters) const {
  w.frame = frame;
  w.parameters = &parameters;
  for (std::size_t v = 0; v < code_.values.size(); ++v) {
    const Value& value = code_.values[v];
    if (value.space == Space::literal) std::fill_n(frame + offset_[v], lanes_, static_cast<T>(value.literal));
  }
  constant_stage(w, code_.once);
}

template <class T>
void Executor<T>::constant_stage(Worker& w, const std::vector<Instruction>& stage) const {
  for (const Instruction& i : stage) instruction(w, i, std::max<std::int64_t>(1, i.rows));
}

// Where a parameter or a constant lies.
template <class T>
Fixed<const T> Executor<T>::fixed(const Worker& w, std::int32_t v) const {
  const Value& value = code_.values[v];
  if (value.space == Space::parameter) return (*w.parameters)[value.number];
  return {w.slots[v].base, stride(value), 1};
}

// Calls f(sources, count) for each panel of a matrix between these vectors.
template <class T>
template <class F>
void Executor<T>::each_panel(const Matrix& m, const Worker& w, std::int64_t from, std::int64_t to, F f) const {
  Source<T> sources[16];
  const std::int64_t wide = static_cast<std::int64_t>(routines_.panel_vectors);
  std::int64_t at = 0, filled = 0;
  for (const MatrixPart& part : m.parts) {
    auto [base, rows, columns] = fixed(w, part.value);
    base += part.row * rows + part.column * columns;
    if (part.transposed) std::swap(rows, columns);
    for (std::int64_t c = 0; c < part.width; c += lanes_, ++at) {
      if (at < from || at >= to) continue;
      sources[filled++] = {base + c * columns, rows, columns, static_cast<std::size_t>(std::min(lanes_, part.width - c))};
      if (filled < wide) continue;
      f(sources, filled);
      filled = 0;
    }
  }
  if (filled > 0) f(sources, filled);
}

// Packs a matrix in the form, and with the scales, of `as`.
template <class T>
void Executor<T>::pack_panels(const Matrix& m, const Worker& w, const Packed<T>& as, T* out) const {
  const PackedSizes sizes = sizes_of(m);
  const T* scales = as.scales;
  each_panel(m, w, 0, vectors(m), [&](const Source<T>* sources, std::int64_t count) {
    const auto n = static_cast<std::size_t>(count);
    routines_.pack(as.form == Form::wide ? out : w.panel, sizes.k, sources, n);
    if constexpr (std::is_same_v<T, float>) {
      if (as.form != Form::wide) narrow_panel(as.form, w.panel, n, sizes, scales, out);
    }
    scales += n * scales_of(as.form, sizes.k, sizes.lanes);
    out += words_of(as.form, sizes.k) * n * sizes.lanes;
  });
}

// Rows times a matrix that is used once: each panel as it lies, or packed on the spot.
template <class T>
void Executor<T>::product_once(Worker& w, const Matrix& m, std::int64_t rows, const std::vector<Column<T>>& columns,
                               std::int64_t from, std::int64_t to) const {
  const auto n = static_cast<std::size_t>(rows), k = static_cast<std::size_t>(m.k);
  each_panel(m, w, from, to, [&](const Source<T>* sources, std::int64_t count) {
    const auto vectors = static_cast<std::size_t>(count);
    if (!routines_.multiply_unpacked(w.a.data(), n, k, sources, columns.data() + from, vectors)) {
      routines_.pack(w.panel, k, sources, vectors);
      routines_.multiply(w.a.data(), n, k, {w.panel}, columns.data() + from, vectors);
    }
    from += count;
  });
}

// ---- constants to keep ----

template <class T>
Narrow Executor<T>::narrow_form(const Matrix& m, const Worker& w, const NarrowFrom& from) const {
  if constexpr (std::is_same_v<T, float>) {
    std::vector<NarrowPart> parts;
    for (const MatrixPart& part : m.parts) {
      const auto [base, row_stride, column_stride] = fixed(w, part.value);
      const std::int64_t rows = part.transposed ? part.width : m.k, count = padded(part.width) / lanes_;
      parts.push_back({base + part.row * row_stride, row_stride, column_stride, static_cast<std::size_t>(rows),
                       static_cast<std::size_t>(code_.values[part.value].width), part.transposed,
                       static_cast<std::size_t>(count)});
    }
    return choose_form(parts, sizes_of(m), from);
  }
  return {};
}

template <class T>
std::unique_ptr<Constants<T>> Executor<T>::prepare(const std::vector<Fixed<const T>>& parameters, bool compact) const {
  auto made = std::make_unique<Constants<T>>();
  made->frame = made->values.template take<T>(static_cast<std::size_t>(constant_size_));
  made->packed.resize(code_.matrices.size());
  std::vector<T> blocks(static_cast<std::size_t>(code_.blocks) * block_vectors * lanes_ + slack), panel(widest_panel_ + slack);
  Worker w;
  w.blocks = blocks.data();
  w.panel = panel.data();
  w.constants = made.get();
  fill_slots(w.slots, made->frame, w.blocks);
  run_once(w, made->frame, parameters);
  const NarrowFrom from = compact ? NarrowFrom{0, 0} : routines_.narrow_from;
  std::vector<Narrow> forms;
  for (const Matrix& m : code_.matrices) forms.push_back(m.used ? narrow_form(m, w, from) : Narrow{});
  std::vector<T*> panels(forms.size()), scales(forms.size());
  Carver<T> carver;
  auto carve = [&] {
    for (std::size_t n = 0; n < forms.size(); ++n) {
      const Matrix& m = code_.matrices[n];
      if (m.used) panels[n] = carver.take(panel_elements(m, forms[n].form)), scales[n] = carver.take(forms[n].scales.size());
    }
  };
  carve();
  carver = {made->matrices.template take<T>(carver.used), 0};
  carve();
  for (std::size_t n = 0; n < forms.size(); ++n) {
    if (!code_.matrices[n].used) continue;
    std::copy(forms[n].scales.begin(), forms[n].scales.end(), scales[n]);
    made->packed[n] = {panels[n], forms[n].form, scales[n]};
    pack_panels(code_.matrices[n], w, made->packed[n], panels[n]);
  }
  return made;
}

// ---- one instruction on rows whose slots are set ----

template <class T>
void Executor<T>::instruction(Worker& w, const Instruction& i, std::int64_t rows) const {
  switch (i.kind) {
    case Kind::elementwise:
      routines_.elementwise(i.ops.data(), i.ops.size(), w.slots.data(), static_cast<std::size_t>(rows),
                            static_cast<std::size_t>(i.width));
      break;
    case Kind::product:
      w.a.resize(static_cast<std::size_t>(rows));
      for (std::int64_t r = 0; r < rows; ++r) w.a[r] = w.slots[i.a].base + r * w.slots[i.a].row_stride + i.a_offset;
      product(w, i, rows);
      break;
    case Kind::reduce:
      routines_.reduce(static_cast<Reduction>(i.flag), w.slots[i.result].base, w.slots[i.result].row_stride,
                       w.slots[i.a].base, w.slots[i.a].row_stride, static_cast<std::size_t>(rows),
                       static_cast<std::size_t>(i.width));
      break;
    case Kind::cumulate: cumulate(w, i, rows); break;
    case Kind::move: move(w, i, rows); break;
    case Kind::gather: gather(w, i); break;
    case Kind::total: total(w, i); break;
    case Kind::eye: {
      const Slot<T>& s = w.slots[i.result];
      for (std::int64_t r = 0; r < i.rows; ++r) {
        std::fill_n(s.base + r * s.row_stride, i.rows, T(0));
        s.base[r * s.row_stride + r] = T(1);
      }
      break;
    }
    case Kind::previous: previous(w, i); break;
    case Kind::outer:
    case Kind::rows_sum:
    case Kind::count: break;  // sums() runs these
  }
}

// Where a product's sums begin and where they go; from call to call of the same product they move together.
template <class T>
std::vector<Column<T>>& Executor<T>::columns_of(Worker& w, const Instruction& i) const {
  static const T zeros[slack] = {};
  if (w.columns.empty()) w.columns.resize(code_.matrices.size());
  std::vector<Column<T>>& columns = w.columns[i.k];
  const Matrix& m = code_.matrices[i.k];
  if (columns.empty()) columns.resize(static_cast<std::size_t>(vectors(m)));
  Column<T>* column = columns.data();
  for (std::size_t p = 0; p < i.parts.size(); ++p) {
    const ProductPart& part = i.parts[p];
    const Slot<T>& out = w.slots[part.result];
    const std::int64_t n = padded(m.parts[p].width) / lanes_;
    const T* init = zeros;
    std::ptrdiff_t init_stride = 0, step = 0;
    if (part.init >= 0) {
      const Slot<T>& from = w.slots[part.init];
      init = from.base + (from.column_step ? part.init_offset : 0);
      init_stride = from.row_stride;
      step = from.column_step ? lanes_ : 0;
    }
    T* base = out.base;
    for (std::int64_t c = 0; c < n; ++c, ++column, base += lanes_, init += step) {
      *column = {base, out.row_stride, init, init_stride};
    }
  }
  return columns;
}

// Rows w.a times a matrix, threads sharing out its columns where that pays.
template <class T>
void Executor<T>::product(Worker& w, const Instruction& i, std::int64_t rows) const {
  const std::vector<Column<T>>& columns = columns_of(w, i);
  const Matrix& m = code_.matrices[i.k];
  const std::int64_t all = static_cast<std::int64_t>(columns.size());
  const std::int64_t wide = static_cast<std::int64_t>(routines_.panel_vectors);
  const Packed<T> packed = w.constants == nullptr ? Packed<T>{} : w.constants->packed[i.k];
  const bool is_packed = packed.panels != nullptr;
  if (is_packed && w.team == nullptr) {
    routines_.multiply(w.a.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(m.k), packed, columns.data(),
                       static_cast<std::size_t>(all));
    return;
  }
  auto part = [&](std::int64_t from, std::int64_t to) {
    if (is_packed) {
      const auto k = static_cast<std::size_t>(m.k);
      routines_.multiply(w.a.data(), static_cast<std::size_t>(rows), k,
                         packed_from(packed, static_cast<std::size_t>(from), k, routines_.lanes), columns.data() + from,
                         static_cast<std::size_t>(to - from));
      return;
    }
    product_once(w, m, rows, columns, from, to);
  };
  const std::int64_t panels = (all + wide - 1) / wide;
  const bool worth = is_packed && m.k * all * std::max<std::int64_t>(rows, 2) > 4000;
  if (w.team == nullptr || panels < w.team->threads() || !worth) {
    part(0, all);
    return;
  }
  const int members = w.team->threads();
  w.team->share([&](int n) {
    const std::int64_t from = panels * n / members * wide, to = std::min(all, panels * (n + 1) / members * wide);
    if (from < to) part(from, to);
  });
}

template <class T>
void Executor<T>::move(Worker& w, const Instruction& i, std::int64_t rows) const {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (const MovePart& part : i.moves) {
      const Slot<T>& to = w.slots[part.result];
      const Slot<T>& from = w.slots[part.source];
      T* out = to.base + r * to.row_stride + part.to;
      const T* in = from.base + r * from.row_stride + part.from;
      if (from.column_step == 0) {
        std::fill_n(out, part.count, *in);
      } else if (part.step == 1) {
        std::memmove(out, in, static_cast<std::size_t>(part.count) * sizeof(T));
      } else {
        for (std::int64_t c = 0; c < part.count; ++c) out[c] = in[c * part.step];
      }
    }
  }
}

template <class T>
void Executor<T>::cumulate(Worker& w, const Instruction& i, std::int64_t rows) const {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* in = w.slots[i.a].base + r * w.slots[i.a].row_stride;
    T* out = w.slots[i.result].base + r * w.slots[i.result].row_stride;
    T sum = 0;
    for (std::int64_t c = 0; c < i.width; ++c) {
      const std::int64_t at = i.flag ? i.width - 1 - c : c;
      out[at] = sum += in[at];
    }
  }
}

template <class T>
void Executor<T>::gather(Worker& w, const Instruction& i) const {
  const Value& source = code_.values[i.a];
  auto [base, rows, columns] = fixed(w, i.a);
  const Value& value = code_.values[i.result];
  T* out = w.frame + offset_[i.result];
  if (i.flag == 1) std::swap(rows, columns);
  if (value.is_scalar) {
    std::fill_n(out, lanes_, *base);
    return;
  }
  const std::int64_t pitch = stride(value);
  if (i.flag == 2) {  // the same elements in rows of another width
    for (std::int64_t n = 0; n < i.rows * i.width; ++n) {
      out[n / i.width * pitch + n % i.width] = base[n / source.width * rows + n % source.width * columns];
    }
    return;
  }
  std::vector<Source<T>> sources;
  for (std::int64_t c = 0; c < i.width; c += lanes_) {
    sources.push_back({base + c * columns, rows, columns, static_cast<std::size_t>(std::min(lanes_, i.width - c))});
  }
  routines_.pack(out, static_cast<std::size_t>(i.rows), sources.data(), sources.size());
}

template <class T>
void Executor<T>::total(Worker& w, const Instruction& i) const {
  const Value& source = code_.values[i.a];
  const T* in = w.slots[i.a].base;
  T sum = 0;
  for (std::int64_t r = 0; r < i.rows; ++r) {
    for (std::int64_t c = 0; c < i.width; ++c) sum += in[r * stride(source) + c];
  }
  std::fill_n(w.frame + offset_[i.result], lanes_, sum);
}

// ---- rows of a chunk ----

template <class T>
void Executor<T>::place(Worker& w, const std::vector<std::int32_t>& moving, std::int64_t chunk_row, std::int64_t t,
                        std::int64_t b) const {
  const Shared& s = *w.shared;
  for (const std::int32_t v : moving) {
    const Value& value = code_.values[v];
    Slot<T>& slot = w.slots[v];
    switch (value.space) {
      case Space::chunk: slot.base = s.chunk_values[v] + chunk_row * slot.row_stride; break;
      case Space::state:
      case Space::next: {
        const int side = value.space == Space::state ? w.parity : 1 - w.parity;
        slot.base = s.states[value.number] + (side * s.call->batch + b) * slot.row_stride;
        break;
      }
      default: {
        const Rows<T>& rows = value.space == Space::input ? s.call->inputs[value.number] : s.call->outputs[value.number];
        slot.row_stride = rows.row_stride;
        slot.base = rows.data + b * rows.row_stride +
                    (s.call->batch_sizes ? s.row_offset[t] * rows.row_stride : t * rows.step_stride);
      }
    }
  }
}

// Pointers to each row of these slices in the chunk, in order of steps.
template <class T>
void Executor<T>::row_pointers(const Shared& s, const Geometry* slices, std::size_t count, std::int32_t v,
                               std::int64_t offset, std::vector<const T*>& out) const {
  const Value& value = code_.values[v];
  out.clear();
  for (std::int64_t k = 0; k < slices->steps; ++k) {
    for (std::size_t slice = 0; slice < count; ++slice) {
      const Geometry& g = slices[slice];
      const std::int64_t t = g.first_step + k, n = g.count[k];
      const T* base;
      std::ptrdiff_t pitch;
      if (value.space == Space::chunk) {
        pitch = stride(value);
        base = s.chunk_values[v] + (g.base + g.position[k]) * pitch;
      } else {
        const Rows<T>& rows = s.call->inputs[value.number];
        pitch = rows.row_stride;
        base = rows.data + g.from * pitch + (s.call->batch_sizes ? s.row_offset[t] * pitch : t * rows.step_stride);
      }
      for (std::int64_t r = 0; r < n; ++r) out.push_back(base + r * pitch + offset);
    }
  }
}

template <class T>
void Executor<T>::rows_stage(Worker& w, const std::vector<Instruction>& stage,
                             const std::vector<std::int32_t>& moving) const {
  const Geometry& g = *w.mine;
  if (g.rows == 0 || stage.empty()) return;
  const Call<T>& call = *w.shared->call;
  bool even = g.steps == 1 || (g.from == 0 && g.to == call.batch);  // the caller's rows lie one after the other too
  if (call.batch_sizes == nullptr && g.steps > 1) {
    for (const auto* arrays : {&call.inputs, &call.outputs}) {
      for (const Rows<T>& rows : *arrays) even = even && rows.step_stride == call.batch * rows.row_stride;
    }
  }
  for (const Instruction& i : stage) {
    if (i.kind == Kind::previous) {
      previous(w, i);
      continue;
    }
    const bool alone = i.kind == Kind::product && i.flag == 0;  // of the caller's rows it reads the left side only
    if (even || !i.external || alone) {
      place(w, moving, g.base, g.first_step, g.from);
      if (alone && i.external && !even) {
        row_pointers(*w.shared, &g, 1, i.a, i.a_offset, w.a);
        product(w, i, g.rows);
      } else {
        instruction(w, i, g.rows);
      }
      continue;
    }
    for (std::int64_t k = 0; k < g.steps; ++k) {
      if (g.count[k] == 0) continue;
      place(w, moving, g.base + g.position[k], g.first_step + k, g.from);
      instruction(w, i, g.count[k]);
    }
  }
}

// The states that each row's step began with, out of what the forward pass kept of the step before.
template <class T>
void Executor<T>::previous(Worker& w, const Instruction& i) const {
  const Shared& s = *w.shared;
  const Call<T>& call = *s.call;
  const Geometry& g = *w.mine;
  const Value& value = code_.values[i.result];
  const Rows<T>& kept = call.inputs[code_.values[i.a].number];
  const Batch<const T>& first = call.beginning[i.k];
  const std::int64_t pitch = stride(value);
  const std::size_t bytes = static_cast<std::size_t>(value.width) * sizeof(T);
  for (std::int64_t k = 0; k < g.steps; ++k) {
    const std::int64_t t = g.first_step + k, before = call.reverse ? t - 1 : t + 1;
    const std::int64_t have = before < 0 || before >= call.steps ? 0 : s.batch_at(before);
    T* out = s.chunk_values[i.result] + (g.base + g.position[k]) * pitch;
    const T* rows = have == 0 ? nullptr
                              : kept.data + (call.batch_sizes ? s.row_offset[before] * kept.row_stride
                                                              : before * kept.step_stride);
    for (std::int64_t r = 0; r < g.count[k]; ++r, out += pitch) {
      const std::int64_t b = g.from + r;
      if (call.reset != nullptr && call.reset[s.row_offset[t] + b]) {
        std::memset(out, 0, bytes);
      } else {
        const T* from = b < have ? rows + b * kept.row_stride : first.data == nullptr ? nullptr : first.data + b * first.row_stride;
        if (from == nullptr) std::memset(out, 0, bytes);
        else std::memcpy(out, from, bytes);
      }
    }
  }
}

// ---- the time loop ----

template <class T>
void Executor<T>::begin_states(Worker& w, std::int64_t from, std::int64_t to) const {
  const Shared& s = *w.shared;
  for (std::size_t n = 0; n < code_.states.size(); ++n) {
    const std::int64_t width = code_.states[n], pitch = padded(width);
    const Batch<const T>& first = s.call->first[n];
    for (std::int64_t b = from; b < to; ++b) {
      if (first.data == nullptr) {
        std::fill_n(s.states[n] + (w.parity * s.call->batch + b) * pitch, width, T(0));
        continue;
      }
      std::memcpy(s.states[n] + (w.parity * s.call->batch + b) * pitch, first.data + b * first.row_stride,
                  static_cast<std::size_t>(width) * sizeof(T));
    }
  }
}

template <class T>
void Executor<T>::end_states(Worker& w, std::int64_t from, std::int64_t to) const {
  const Shared& s = *w.shared;
  for (std::size_t n = 0; n < code_.states.size(); ++n) {
    const std::int64_t width = code_.states[n], pitch = padded(width);
    const Batch<T>& last = s.call->last[n];
    if (last.data == nullptr) continue;
    for (std::int64_t b = from; b < to; ++b) {
      std::memcpy(last.data + b * last.row_stride, s.states[n] + (w.parity * s.call->batch + b) * pitch,
                  static_cast<std::size_t>(width) * sizeof(T));
    }
  }
}

template <class T>
void Executor<T>::apply_reset(Worker& w, std::int64_t t, std::int64_t n, int parity) const {
  const Shared& s = *w.shared;
  const bool* reset = s.call->reset + s.row_offset[t];
  for (std::int64_t b = w.mine->from; b < w.mine->from + n; ++b) {
    if (!reset[b]) continue;
    for (std::size_t k = 0; k < code_.states.size(); ++k) {
      const std::int64_t pitch = padded(code_.states[k]);
      std::fill_n(s.states[k] + (parity * s.call->batch + b) * pitch, pitch, T(0));
    }
  }
}

// After place() at one step of a dense batch: what takes the slots on to the next steps.
template <class T>
void Executor<T>::plan_moves(Worker& w) const {
  const Call<T>& call = *w.shared->call;
  const Geometry& g = *w.mine;
  const std::ptrdiff_t direction = call.reverse ? -1 : 1;
  w.moves.clear();
  for (const std::int32_t v : moving_step_) {
    const Value& value = code_.values[v];
    Slot<T>& slot = w.slots[v];
    if (value.space == Space::chunk) w.moves.emplace_back(&slot, direction * (g.to - g.from) * slot.row_stride);
    else if (value.space == Space::input) w.moves.emplace_back(&slot, direction * call.inputs[value.number].step_stride);
    else if (value.space == Space::output) w.moves.emplace_back(&slot, direction * call.outputs[value.number].step_stride);
  }
}

template <class T>
void Executor<T>::step_stage(Worker& w) const {
  const Geometry& g = *w.mine;
  const Call<T>& call = *w.shared->call;
  const bool smooth = call.batch_sizes == nullptr && g.to - g.from <= code_.tile_rows && g.to > g.from;
  for (std::int64_t j = 0; j < g.steps; ++j) {
    const std::int64_t k = call.reverse ? g.steps - 1 - j : j, t = g.first_step + k, n = g.count[k];
    if (n > w.alive) begin_states(w, g.from + w.alive, g.from + n);
    if (n < w.alive) end_states(w, g.from + n, g.from + w.alive);
    w.alive = n;
    if (call.reset != nullptr && !code_.opposite) apply_reset(w, t, n, w.parity);
    if (smooth) {
      if (j == 0) {
        place(w, moving_step_, g.base + g.position[k], t, g.from);
        plan_moves(w);
      } else {
        for (const auto& [slot, distance] : w.moves) slot->base += distance;
        for (const auto& [now, then] : state_slots_) {
          if (now >= 0 && then >= 0) std::swap(w.slots[now].base, w.slots[then].base);
          else if (now >= 0 || then >= 0) place(w, {now >= 0 ? now : then}, 0, t, g.from);
        }
      }
      for (const Instruction& i : code_.step) instruction(w, i, n);
    } else {
      for (std::int64_t r = 0; r < n; r += code_.tile_rows) {
        place(w, moving_step_, g.base + g.position[k] + r, t, g.from + r);
        const std::int64_t rows = std::min(code_.tile_rows, n - r);
        for (const Instruction& i : code_.step) instruction(w, i, rows);
      }
    }
    w.parity = 1 - w.parity;
    if (call.reset != nullptr && code_.opposite) apply_reset(w, t, n, w.parity);
  }
}

// ---- sums over rows ----

template <class T>
void Executor<T>::sum(Worker& w, const std::vector<Geometry>& geometry, const Unit& unit, bool more) const {
  const Instruction& i = code_.sums[unit.instruction];
  const Shared& s = *w.shared;
  T* out = s.sums[i.result];
  const std::int64_t begin = unit.from * lanes_;
  const std::size_t n = static_cast<std::size_t>(unit.to - unit.from);
  row_pointers(s, geometry.data(), geometry.size(), i.a, i.kind == Kind::outer ? i.a_offset : begin, w.a);
  if (i.kind == Kind::rows_sum) {
    routines_.rows_sum(out + begin, w.a.data(), w.a.size(), n, more);
    return;
  }
  row_pointers(s, geometry.data(), geometry.size(), i.b, i.b_offset + begin, w.b);
  const std::int64_t pitch = stride(code_.values[i.result]);
  routines_.outer(out + i.row * pitch + begin, pitch, w.a.data(), w.b.data(), w.a.size(), static_cast<std::size_t>(i.k), n, more);
}

// ---- a call ----

template <class T>
void Executor<T>::work(Worker& w, int part) const {
  Shared& s = *w.shared;
  const Call<T>& call = *s.call;
  const int slices = static_cast<int>(s.cuts.size()) - 1;
  w.alive = 0;
  w.parity = 0;
  w.geometry.resize(static_cast<std::size_t>(slices));
  for (std::size_t n = 0; n < code_.states.size(); ++n) {  // of a sequence without steps the last state is the first
    const Batch<T>& last = call.last[n];
    const Batch<const T>& start = call.first[n];
    for (std::int64_t b = s.cuts[part]; last.data != nullptr && b < s.cuts[part + 1]; ++b) {
      T* out = last.data + b * last.row_stride;
      const std::size_t bytes = static_cast<std::size_t>(code_.states[n]) * sizeof(T);
      if (start.data == nullptr) std::memset(out, 0, bytes);
      else std::memmove(out, start.data + b * start.row_stride, bytes);
    }
  }
  bool more = false;  // whether sums over rows have begun
  std::size_t chunk = 0;
  for (const auto& [first, steps] : s.chunks) {
    for (int slice = 0; slice < slices; ++slice) {
      Geometry& g = w.geometry[slice];
      g.first_step = first, g.steps = steps, g.from = s.cuts[slice], g.to = s.cuts[slice + 1];
      g.base = s.bases[slice], g.rows = 0;
      g.count.resize(static_cast<std::size_t>(steps));
      g.position.resize(static_cast<std::size_t>(steps));
      for (std::int64_t k = 0; k < steps; ++k) {
        g.position[k] = g.rows;
        g.count[k] = std::clamp<std::int64_t>(s.batch_at(first + k) - g.from, 0, g.to - g.from);
        g.rows += g.count[k];
      }
    }
    w.mine = &w.geometry[part];
    rows_stage(w, code_.before, moving_before_);
    step_stage(w);
    rows_stage(w, code_.after, moving_after_);
    if (units_.empty()) continue;
    std::atomic<std::size_t>& next = s.next_unit[chunk++];
    auto share = [&](Worker& worker) {  // whoever is free takes the next: a processor may be slower than another
      for (std::size_t u = next.fetch_add(1); u < units_.size(); u = next.fetch_add(1)) {
        sum(worker, w.geometry, units_[u], more);
      }
    };
    if (s.barrier != nullptr) {
      s.barrier->wait();
      share(w);
      s.barrier->wait();
    } else if (w.team != nullptr) {
      w.team->share([&](int n) { share(s.workers[n]); });
    } else {
      share(w);
    }
    more = true;
  }
  end_states(w, s.cuts[part], s.cuts[part] + w.alive);
}

// Sums over rows are added up where the caller wants them if their rows are whole vectors, else among the constants.
template <class T>
void Executor<T>::place_sums(Shared& s, const Call<T>& call, T* frame, Worker& master) const {
  s.next_unit = std::make_unique<std::atomic<std::size_t>[]>(units_.empty() ? 0 : s.chunks.size());
  s.sums.assign(code_.values.size(), nullptr);
  for (const Instruction& i : code_.sums) s.sums[i.result] = frame + offset_[i.result];
  for (std::size_t n = 0; n < code_.results.size(); ++n) {
    const std::int32_t v = code_.results[n];
    const Value& value = code_.values[v];
    if (s.sums[v] != nullptr && !value.is_scalar && padded(value.width) == value.width) s.sums[v] = call.results[n];
  }
  for (const Instruction& i : code_.sums) {
    const Value& value = code_.values[i.result];
    T* place = master.slots[i.result].base = s.sums[i.result];
    if (s.chunks.empty()) std::fill_n(place, stride(value) * std::max<std::int64_t>(1, value.rows), T(0));
  }
}

// The slices at the same time, each on a thread; or the only one, with the other threads at its service.
template <class T>
void Executor<T>::run_work(Shared& s, std::vector<Worker>& workers, int slices) const {
  const int threads = static_cast<int>(workers.size());
  Barrier barrier(threads);
  Team team(threads);
  bool together = false;
  if (slices > 1) {
    s.barrier = &barrier;
    together = run_together(threads, [&](int n) { work(workers[n], n); });
  } else if (threads > 1) {
    workers.front().team = &team;
    together = run_together(threads, [&](int n) {
      if (n != 0) return team.serve(n);
      work(workers.front(), 0);
      team.dismiss();
    });
  }
  s.barrier = nullptr;
  workers.front().team = nullptr;
  if (together) return;
  // Another caller has the threads: the whole batch on this one. The next run of the same call may have them.
  std::vector<std::int64_t> cuts{0, s.call->batch}, bases{0};
  s.cuts.swap(cuts);
  s.bases.swap(bases);
  work(workers.front(), 0);
  s.cuts.swap(cuts);
  s.bases.swap(bases);
}

// Vector multiply-adds of a call, roughly: what decides on threads, and on packing.
template <class T>
double Executor<T>::cost(const Call<T>& call) const {
  double rows = static_cast<double>(call.steps) * static_cast<double>(call.batch), each = 0;
  if (call.batch_sizes) {
    rows = 0;
    for (std::int64_t t = 0; t < call.steps; ++t) rows += static_cast<double>(call.batch_sizes[t]);
  }
  for (const Matrix& m : code_.matrices) each += static_cast<double>(m.k * vectors(m));
  for (const Unit& unit : units_) {
    const Instruction& i = code_.sums[unit.instruction];
    each += static_cast<double>((i.kind == Kind::outer ? i.k : 1) * (unit.to - unit.from));
  }
  for (const auto* stage : {&code_.before, &code_.step, &code_.after}) {
    for (const Instruction& i : *stage) each += static_cast<double>(i.ops.size()) * static_cast<double>(i.width) * 2;
  }
  return rows * each;
}

// A call laid out in memory.
template <class T>
struct Executor<T>::Session {
  explicit Session(const Call<T>& c) : call(c) {}
  const Call<T>& call;
  Shared shared;
  std::vector<Worker> workers;  // the first `slices` of them run slices
  int slices = 1;
  std::int64_t step_rows = 0;       // sequences of the step that has the most
  std::int64_t chunk_capacity = 0;  // rows of all slices in the largest chunk
  Constants<T> own;                 // where the caller prepared none
  std::vector<T*> panels;           // for each of its matrices; null where it is not packed
  const Constants<T>* constants = nullptr;
};

// Chunks: from the running order's first step on, each with about chunk_rows rows.
template <class T>
void Executor<T>::cut_chunks(Session& session) const {
  const Call<T>& call = session.call;
  Shared& s = session.shared;
  if (call.batch_sizes != nullptr || call.reset != nullptr) {
    std::int64_t rows = 0;
    for (std::int64_t t = 0; t < call.steps; ++t) {
      s.row_offset.push_back(rows);
      rows += s.batch_at(t);
    }
  }
  for (std::int64_t done = 0; done < call.steps;) {
    std::int64_t steps = 0, rows = 0;
    while (done + steps < call.steps) {
      const std::int64_t t = call.reverse ? call.steps - 1 - done - steps : done + steps, n = s.batch_at(t);
      if (steps > 0 && rows + n > code_.chunk_rows) break;
      rows += n;
      session.step_rows = std::max(session.step_rows, n);
      ++steps;
    }
    s.chunks.emplace_back(call.reverse ? call.steps - done - steps : done, steps);
    done += steps;
  }
}

// How many threads, and which sequences go to each.
template <class T>
void Executor<T>::cut_slices(Session& session) const {
  const Call<T>& call = session.call;
  Shared& s = session.shared;
  int threads = std::max(1, std::min<int>(call.threads, 64));
  if (cost(call) < 150000) threads = 1;
  const int slices = session.slices = threads > 1 && session.step_rows >= 2 * threads ? threads : 1;
  session.workers.resize(static_cast<std::size_t>(threads));
  s.cuts.assign(1, 0);
  if (call.batch_sizes == nullptr || slices == 1) {
    for (int n = 1; n < slices; ++n) s.cuts.push_back(call.batch * n / slices);
  } else {  // sequences are sorted, the longest first: slices of equal numbers of rows
    std::vector<std::int64_t> rows_of(static_cast<std::size_t>(call.batch) + 1, 0);
    for (std::int64_t t = 0; t < call.steps; ++t) ++rows_of[static_cast<std::size_t>(call.batch_sizes[t])];
    std::int64_t length = 0, all = 0, sum = 0;
    for (std::int64_t t = 0; t < call.steps; ++t) all += call.batch_sizes[t];
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(call.batch));
    for (std::int64_t b = call.batch; b > 0; --b) lengths[b - 1] = length += rows_of[b];
    for (std::int64_t b = 0; b < call.batch && static_cast<int>(s.cuts.size()) < slices; ++b) {
      sum += lengths[b];
      if (sum * slices >= all * static_cast<std::int64_t>(s.cuts.size())) s.cuts.push_back(b + 1);
    }
    while (static_cast<int>(s.cuts.size()) < slices) s.cuts.push_back(call.batch);
  }
  s.cuts.push_back(call.batch);
  for (int slice = 0; slice < slices; ++slice) {
    std::int64_t most = 0;
    for (const auto& [first, steps] : s.chunks) {
      std::int64_t rows = 0;
      for (std::int64_t t = first; t < first + steps; ++t) {
        rows += std::clamp<std::int64_t>(s.batch_at(t) - s.cuts[slice], 0, s.cuts[slice + 1] - s.cuts[slice]);
      }
      most = std::max(most, rows);
    }
    s.bases.push_back(session.chunk_capacity);
    session.chunk_capacity += most;
  }
}

// Gives every array of a session its place behind `base`; without one it only counts. Returns the elements needed.
template <class T>
std::size_t Executor<T>::carve(Session& session, T* base) const {
  Shared& s = session.shared;
  Carver<T> carver{base, 0};
  T* frame = carver.take(static_cast<std::size_t>(constant_size_));
  if (session.constants == nullptr) {
    session.own.frame = frame;
    session.panels.clear();
    for (const Matrix& m : code_.matrices) {
      // Packing costs about as much as eight rows; a matrix that is used once per chunk is packed on the spot.
      const std::int64_t uses = m.used == 2   ? session.call.steps
                                : m.used == 1 ? static_cast<std::int64_t>(s.chunks.size())
                                              : 0;
      session.panels.push_back(uses > 1 ? carver.take(panel_elements(m, Form::wide)) : nullptr);
    }
  } else {
    frame = session.constants->frame;
  }
  s.chunk_values.assign(code_.values.size(), nullptr);
  for (std::size_t v = 0; v < code_.values.size(); ++v) {
    if (code_.values[v].space == Space::chunk) {
      s.chunk_values[v] = carver.take(static_cast<std::size_t>(session.chunk_capacity * stride(code_.values[v])));
    }
  }
  s.states.clear();
  for (const std::int64_t width : code_.states) {
    s.states.push_back(carver.take(static_cast<std::size_t>(2 * session.call.batch * padded(width))));
  }
  const std::int64_t tile = std::min(code_.tile_rows, std::max<std::int64_t>(1, session.step_rows));
  for (int n = 0; n < session.slices; ++n) {
    Worker& w = session.workers[n];
    w.blocks = carver.take(static_cast<std::size_t>(code_.blocks) * block_vectors * lanes_);
    w.panel = carver.take(widest_panel_);
    if (base != nullptr) fill_slots(w.slots, frame, w.blocks);
    for (std::size_t v = 0; v < code_.values.size(); ++v) {
      if (code_.values[v].space != Space::step) continue;
      T* piece = carver.take(static_cast<std::size_t>(tile * stride(code_.values[v])));
      if (base != nullptr) w.slots[v].base = piece;
    }
  }
  return carver.used;
}

// Computes and packs what parameters alone decide, where the caller has not.
template <class T>
void Executor<T>::make_constants(Session& session) const {
  Worker& master = session.workers.front();
  master.shared = &session.shared;
  if (session.constants == nullptr) {
    Constants<T>& own = session.own;
    run_once(master, own.frame, session.call.parameters);
    own.packed.resize(code_.matrices.size());
    for (std::size_t m = 0; m < code_.matrices.size(); ++m) {
      own.packed[m].panels = session.panels[m];
      if (session.panels[m]) pack_panels(code_.matrices[m], master, own.packed[m], session.panels[m]);
    }
    session.constants = &own;
  }
  for (Worker& w : session.workers) {
    w.shared = &session.shared;
    w.constants = session.constants;
    w.frame = session.constants->frame;
    w.parameters = &session.call.parameters;
  }
}

// `memory` takes elements and gives their place.
template <class T>
template <class Memory>
void Executor<T>::begin(Session& session, Memory&& memory) const {
  Shared& s = session.shared;
  s.call = &session.call;
  cut_chunks(session);
  cut_slices(session);
  s.workers = session.workers.data();
  carve(session, memory(carve(session, nullptr)));
  make_constants(session);
}

template <class T>
void Executor<T>::execute(Session& session) const {
  Shared& s = session.shared;
  const Call<T>& call = session.call;
  Worker& master = session.workers.front();
  place_sums(s, call, session.constants->frame, master);
  run_work(s, session.workers, session.slices);
  constant_stage(master, code_.finally_);
  for (std::size_t n = 0; n < code_.results.size(); ++n) {
    const Value& value = code_.values[code_.results[n]];
    const T* from = master.slots[code_.results[n]].base;
    if (from == call.results[n]) continue;
    for (std::int64_t r = 0; r < std::max<std::int64_t>(1, value.rows); ++r) {
      std::memcpy(call.results[n] + r * value.width, from + r * stride(value), static_cast<std::size_t>(value.width) * sizeof(T));
    }
  }
}

template <class T>
void Executor<T>::run(const Call<T>& call, const Constants<T>* constants) const {
  thread_local Arena arena;
  Session session(call);
  session.constants = constants;
  begin(session, [&](std::size_t elements) { return arena.template take<T>(elements); });
  execute(session);
  arena.trim();
}

// ---- a call made again and again ----

template <class T>
Repeated<T>::Repeated(const Executor<T>& executor, Call<T> call, const Constants<T>& constants)
    : executor_(executor), call_(std::move(call)), session_(std::make_unique<typename Executor<T>::Session>(call_)) {
  session_->constants = &constants;
  executor_.begin(*session_, [&](std::size_t elements) {
    memory_ = std::make_unique<Arena>();
    return memory_->template take<T>(elements);
  });
}

template <class T>
Repeated<T>::~Repeated() = default;

template <class T>
void Repeated<T>::run() {
  executor_.execute(*session_);
}

template class Repeated<float>;
template class Repeated<double>;
template class Executor<float>;
template class Executor<double>;

}  // namespace recurra
