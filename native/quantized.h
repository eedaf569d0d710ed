// Packed matrices in fewer bytes that hold exactly the same numbers: of weights that were rounded to bfloat16, or to
// int8 with a scale for each row (model/quantize.py).
#pragma once

#include <cstddef>
#include <vector>

#include "kernels.h"

namespace recurra {

// A range of a packed matrix's columns, in whole vectors, and the rows of the caller's matrix that they come from. The
// rows are whole, as a scale belongs to a whole row.
struct QuantizedPart {
  const float* base;
  std::ptrdiff_t row_stride, column_stride;
  std::size_t rows, columns;
  bool transposed;  // whether the caller's rows are the packed matrix's columns
  std::size_t vectors;
};

struct PackedSizes {
  std::size_t k, lanes, panel_vectors;
};

struct Quantized {
  Form form = Form::wide;
  std::vector<float> scales;  // in the order of Packed
};

// The smallest form that holds the same numbers, of those that are faster for a matrix of this size.
Quantized choose_form(const std::vector<QuantizedPart>& parts, const PackedSizes& sizes, const QuantizedFrom& from);

// Converts a panel from the wide form to a quantized one; `scales` are the panel's.
void quantize_panel(Form form, const float* panel, std::size_t vectors, const PackedSizes& sizes, const float* scales,
                    float* quantized);

}  // namespace recurra
