// Constants, which follow from parameters alone: computed once per call, packed, and kept between calls on request.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "executor_parts.h"
#include "quantized.h"
#include "subnormals.h"

namespace recurra {

template <class T>
void Executor<T>::run_once(Worker& w, T* frame, const std::vector<Fixed<const T>>& parameters) const {
  const FlushSubnormals flush;
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

// The memory of a parameter or a constant.
template <class T>
Fixed<const T> Executor<T>::fixed(const Worker& w, std::int32_t v) const {
  const Value& value = code_.values[v];
  if (value.space == Space::parameter) return (*w.parameters)[value.number];
  return {w.slots[v].base, stride(value), 1};
}

constexpr std::int64_t most_sources = 16;  // vectors of a matrix that are read together

// Calls f(sources, count) for each panel of a matrix between two vectors, or for some panels side by side.
template <class T>
template <class F>
void Executor<T>::each_panel(const Matrix& m, const Worker& w, std::int64_t from, std::int64_t to, F f,
                             std::int64_t panels) const {
  Source<T> sources[most_sources];
  const std::int64_t wide = panels * static_cast<std::int64_t>(routines_.panel_vectors);
  std::int64_t at = 0, filled = 0;
  for (const MatrixPart& part : m.parts) {
    auto [base, rows, columns] = fixed(w, part.value);
    base += part.row * rows + part.column * columns;
    if (part.transposed) std::swap(rows, columns);
    for (std::int64_t c = 0; c < part.width; c += lanes_, ++at) {
      if (at < from || at >= to) continue;
      sources[filled++] = {base + c * columns, rows, columns,
                           static_cast<std::size_t>(std::min(lanes_, part.width - c))};
      if (filled < wide) continue;
      f(sources, filled);
      filled = 0;
    }
  }
  if (filled > 0) f(sources, filled);
}

// Packs a matrix in the form and with the scales of `as`.
template <class T>
void Executor<T>::pack_panels(const Matrix& m, const Worker& w, const Packed<T>& as, T* out) const {
  const PackedSizes sizes = sizes_of(m);
  const T* scales = as.scales;
  each_panel(m, w, 0, vectors(m), [&](const Source<T>* sources, std::int64_t count) {
    const auto n = static_cast<std::size_t>(count);
    const bool is_quantized = as.form != routines_.form;
    routines_.pack(is_quantized ? w.panel : out, sizes.k, sources, n);
    if constexpr (std::is_same_v<T, float>) {
      if (is_quantized) quantize_panel(as.form, w.panel, n, sizes, scales, out);
    }
    scales += n * scales_of(as.form, sizes.k, sizes.lanes);
    out += words_of(as.form, sizes.k) * n * sizes.lanes;
  });
}

// Multiplies rows by a matrix that is used once. It is read in place, or each panel is packed just before its use.
template <class T>
void Executor<T>::product_once(Worker& w, T* panel, const Matrix& m, std::int64_t rows,
                               const std::vector<Column<T>>& columns, std::int64_t from, std::int64_t to) const {
  const auto n = static_cast<std::size_t>(rows), k = static_cast<std::size_t>(m.k);
  const auto multiply = [&](const Source<T>* sources, std::int64_t count) {
    const Column<T>* first = columns.data() + from;
    from += count;
    const auto vectors = static_cast<std::size_t>(count);
    if (routines_.multiply_unpacked(w.a.data(), n, k, sources, first, vectors)) return;
    for (std::size_t v = 0; v < vectors; v += routines_.panel_vectors) {
      const std::size_t some = std::min(routines_.panel_vectors, vectors - v);
      routines_.pack(panel, k, sources + v, some);
      routines_.multiply(w.a.data(), n, k, {panel, routines_.form}, first + v, some);
    }
  };
  each_panel(m, w, from, to, multiply, most_sources / static_cast<std::int64_t>(routines_.panel_vectors));
}

// ---- constants that are kept between calls ----

template <class T>
Quantized Executor<T>::quantized_form(const Matrix& m, const Worker& w, const QuantizedFrom& from) const {
  if (routines_.form != Form::wide) return {routines_.form, {}};
  if constexpr (std::is_same_v<T, float>) {
    std::vector<QuantizedPart> parts;
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
  std::vector<T> blocks(static_cast<std::size_t>(code_.blocks) * block_vectors * lanes_ + slack),
      panel(widest_panel_ + slack);
  Worker w;
  w.blocks = blocks.data();
  w.panel = panel.data();
  w.constants = made.get();
  fill_slots(w.slots, made->frame, w.blocks);
  run_once(w, made->frame, parameters);
  const QuantizedFrom from = compact ? QuantizedFrom{0, 0} : routines_.quantized_from;
  std::vector<Quantized> forms;
  for (const Matrix& m : code_.matrices) forms.push_back(m.used ? quantized_form(m, w, from) : Quantized{});
  std::vector<T*> panels(forms.size()), scales(forms.size());
  Carver<T> carver;
  auto carve = [&] {
    for (std::size_t n = 0; n < forms.size(); ++n) {
      const Matrix& m = code_.matrices[n];
      if (m.used)
        panels[n] = carver.take(panel_elements(m, forms[n].form)), scales[n] = carver.take(forms[n].scales.size());
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

}  // namespace recurra
