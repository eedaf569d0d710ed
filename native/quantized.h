// Packed matrices in fewer bytes, where these hold exactly the same numbers: weights that were rounded to bfloat16, or
// to int8 with a scale for each row (model/quantize.py).
#pragma once

#include <cstddef>
#include <vector>

#include "kernels.h"

namespace recurra {

// Some columns of a packed matrix, whole vectors of them, and the rows of the caller's matrix that they come from:
// whole ones, as a scale is for all of a row.
struct QuantizedPart {
  const float* base;
  std::ptrdiff_t row_stride, column_stride;
  std::size_t rows, columns;
  bool transposed;  // whether the rows are the packed matrix's columns
  std::size_t vectors;
};

struct PackedSizes {
  std::size_t k, lanes, panel_vectors;
};

struct Quantized {
  Form form = Form::wide;
  std::vector<float> scales;  // as Packed has them
};

// The smallest form with the same numbers, out of those that pay for a matrix of this size.
Quantized choose_form(const std::vector<QuantizedPart>& parts, const PackedSizes& sizes, const QuantizedFrom& from);

// Puts a panel of the wide form in a quantized one; `scales` are the panel's.
void quantize_panel(Form form, const float* panel, std::size_t vectors, const PackedSizes& sizes, const float* scales,
                    float* quantized);

}  // namespace recurra
