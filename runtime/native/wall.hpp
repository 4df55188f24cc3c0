// The wall beside the endocardium. The definition is in echo_rt/reference/wall.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "points.hpp"

namespace echo_rt {

// The lines through the wall, as echo_rt/reference/types.py describes them.
struct WallLines {
  Point up;
  double length;
  Point origin, to_grid;
  const double* levels;  // count + 2
  std::size_t count;
  double reach;
  int samples;
};

// The caller's, written to: 2 x count of each, and of each point of the endocardium its segment.
struct WallFound {
  double *distances, *thicknesses;
  int8_t* segment;
  Point *starts, *normals;
};

// points: three at least.
void wall_lines(const Field& cavity, const Field& wall, Points points, WallLines lines, WallFound found);

}  // namespace echo_rt
