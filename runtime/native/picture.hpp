// An image on a coarse grid. The definition is in echo_rt/reference/picture.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace echo_rt {

struct Pixels {
  const uint8_t* data;
  std::ptrdiff_t row_bytes, pixel_bytes, colour_bytes;
  int channels, height, width;
};

// Rows and columns, both from `begin` up to `end`.
struct Window {
  int row_begin, row_end, column_begin, column_end;
};

struct CoarseGrid {
  int height, width;
  int dark, chroma;  // levels up to which a pixel is not lit; between its colours, from which on it may be saturated
  Window window;     // in which saturated pixels are counted
};

// level, lit: (height, width) of the grid, written to. Returns the share of saturated pixels in lit ones.
double coarse(Pixels image, CoarseGrid grid, uint8_t* level, uint8_t* lit);

}  // namespace echo_rt
