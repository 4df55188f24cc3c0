// How the speckle of the wall moves from one picture to the next. The definitions are in echo_rt/reference/speckle.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "points.hpp"

namespace echo_rt {

struct Cells {
  int rows, columns;
  int cell, stride;  // pixels along a side, and from one that is taken to the next
};

// first: the first pixel of the first cell. means: rows x columns, written to.
void cells(const uint8_t* first, std::ptrdiff_t row_bytes, std::ptrdiff_t pixel_bytes, Cells grid, float* means);

// A picture, and where on it the lines have zero.
struct Patch {
  Field field;
  Point zero;
};

// The lines of one third of one side, where each begins and its direction, and how they are sampled; see
// echo_rt/reference/types.py.
struct SpeckleLines {
  const Point *starts, *normals;
  std::size_t count;
  Point to_cells;
  double unit;
  int samples;
};

// How a third moved between two pictures, and how certain its strain is.
struct Motion {
  double shift, strain, slide, certain;
};

Motion follow_speckle(const Patch& before, const Patch& after, SpeckleLines lines, int rounds);

}  // namespace echo_rt
