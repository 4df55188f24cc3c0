// What is drawn on a picture. The definitions are in echo_rt/reference/drawing.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "contour.hpp"

namespace echo_rt {

// A picture of blue, green and red bytes, its rows `row_bytes` apart.
struct Canvas {
  uint8_t* data;
  std::ptrdiff_t height, width, row_bytes;
};

// Picture pixel p shows grid position scale * p + shift along each axis. `share` of the colour (blue, green, red) where
// the layer is certain.
struct Tint {
  int label;
  float scale, x_shift, y_shift, colour[3], share;
};

// labels: as large as the layer.
void tint(const Canvas& picture, const uint8_t* labels, const Field& layer, const Tint& how);

}  // namespace echo_rt
