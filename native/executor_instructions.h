// Runs one instruction, on rows whose slots are set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "executor_parts.h"

namespace recurra {

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
    case Kind::count: break;  // sum() runs these
  }
}

// The memory that a product's sums begin with, and that of its results.
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

// Multiplies the rows w.a by a matrix; threads share its columns where that is faster.
template <class T>
void Executor<T>::product(Worker& w, const Instruction& i, std::int64_t rows) const {
  const std::vector<Column<T>>& columns = columns_of(w, i);
  const Matrix& m = code_.matrices[i.k];
  const std::int64_t all = static_cast<std::int64_t>(columns.size());
  const std::int64_t wide = static_cast<std::int64_t>(routines_.panel_vectors);
  const Packed<T> packed = w.constants == nullptr ? Packed<T>{} : w.constants->packed[i.k];
  const bool is_packed = packed.panels != nullptr;
  if (is_packed && w.team == nullptr) {
    routines_.multiply(w.a.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(m.k), packed,
                       columns.data(), static_cast<std::size_t>(all));
    return;
  }
  auto part = [&](std::int64_t from, std::int64_t to, int member) {
    if (is_packed) {
      const auto k = static_cast<std::size_t>(m.k);
      routines_.multiply(w.a.data(), static_cast<std::size_t>(rows), k,
                         packed_from(packed, static_cast<std::size_t>(from), k, routines_.lanes), columns.data() + from,
                         static_cast<std::size_t>(to - from));
      return;
    }
    product_once(w, w.panel + static_cast<std::size_t>(member) * widest_panel_, m, rows, columns, from, to);
  };
  const std::int64_t panels = (all + wide - 1) / wide;
  const bool worth = m.k * all * std::max<std::int64_t>(rows, 2) > 4000;
  if (w.team == nullptr || panels < w.team->threads() || !worth) {
    part(0, all, 0);
    return;
  }
  const int members = w.team->threads();
  w.team->share(members, [&](int n) {
    const std::int64_t from = panels * n / members * wide, to = std::min(all, panels * (n + 1) / members * wide);
    if (from < to) part(from, to, n);
    return false;
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
  if (i.flag == 2) {  // a reshape: the same elements in rows of another width
    for (std::int64_t n = 0; n < i.rows * i.width; ++n) {
      out[n / i.width * pitch + n % i.width] = base[n / source.width * rows + n % source.width * columns];
    }
    return;
  }
  std::vector<Source<T>> sources;
  for (std::int64_t c = 0; c < i.width; c += lanes_) {
    sources.push_back({base + c * columns, rows, columns, static_cast<std::size_t>(std::min(lanes_, i.width - c))});
  }
  routines_.gather(out, static_cast<std::size_t>(i.rows), sources.data(), sources.size());
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

}  // namespace recurra
