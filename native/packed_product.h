// Products of matrices in rows, by way of packed ones.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels.h"

namespace recurra {

// Row r is at base + r * stride.
template <class T>
struct Strided {
  T* base;
  std::size_t stride;
};

// Packs matrices with k rows, and multiplies by them. It keeps memory for one call at a time.
template <class T>
class PackedProduct {
 public:
  // The elements of the panels of a packed matrix.
  static std::size_t elements(std::size_t k, std::size_t columns, const Routines<T>& routines) {
    const std::size_t lanes = routines.lanes;
    return words_of(routines.form, k) * ((columns + lanes - 1) / lanes * lanes);
  }

  // Element (i, j) of the matrix is base[i * row_stride + j * column_stride].
  void pack(T* panels, std::size_t k, std::size_t columns, const T* base, std::size_t row_stride,
            std::size_t column_stride, const Routines<T>& routines) {
    sources_of(columns, base, row_stride, column_stride, routines.lanes);
    for (std::size_t v = 0; v < sources_.size(); v += routines.panel_vectors) {
      routines.pack(panels + words_of(routines.form, k) * v * routines.lanes, k, sources_.data() + v,
                    std::min(routines.panel_vectors, sources_.size() - v));
    }
  }

  // out = init + rows times a packed matrix. Whole vectors of out are written.
  void multiply(Strided<const T> rows, std::size_t count, std::size_t k, const T* panels, std::size_t columns,
                Strided<T> out, Strided<const T> init, const Routines<T>& routines) {
    rows_.clear(), columns_.clear();
    for (std::size_t row = 0; row < count; ++row) rows_.push_back(rows.base + row * rows.stride);
    for (std::size_t at = 0; at < columns; at += routines.lanes) {
      columns_.push_back({out.base + at, static_cast<std::ptrdiff_t>(out.stride), init.base + at,
                          static_cast<std::ptrdiff_t>(init.stride)});
    }
    routines.multiply(rows_.data(), count, k, {panels, routines.form}, columns_.data(), columns_.size());
  }

  // Writes a matrix of `rows` rows and `columns` columns with its rows as columns; returns the stride of the result.
  std::size_t transpose(T* out, Strided<const T> from, std::size_t rows, std::size_t columns,
                        const Routines<T>& routines) {
    sources_of(rows, from.base, 1, from.stride, routines.lanes);
    routines.gather(out, columns, sources_.data(), sources_.size());  // one wide panel
    return sources_.size() * routines.lanes;
  }

 private:
  void sources_of(std::size_t columns, const T* base, std::size_t row_stride, std::size_t column_stride,
                  std::size_t lanes) {
    sources_.clear();
    for (std::size_t at = 0; at < columns; at += lanes) {
      sources_.push_back({base + at * column_stride, static_cast<std::ptrdiff_t>(row_stride),
                          static_cast<std::ptrdiff_t>(column_stride), std::min(lanes, columns - at)});
    }
  }

  std::vector<const T*> rows_;
  std::vector<Source<T>> sources_;
  std::vector<Column<T>> columns_;
};

}  // namespace recurra
