// The border of the cavity, and the part of it that has wall beside it. The definitions are in
// echo_rt/reference/contour.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "points.hpp"

namespace echo_rt {

// How a part of a field is cut out and smoothed.
struct Smoothing {
  float level;           // what lies above it counts
  int margin, pad;       // pixels around it: of the field, and of zeros around those
  const float* weights;  // 2 reach + 1
  int reach;
};

// A part of a field, and its place on it; nothing where it has no pixels.
struct Part {
  std::vector<float> field;
  int height, width, left, top;
};

Part smoothed(const Field& cavity, Smoothing how);

// What is read beside a border.
struct Surroundings {
  Field wall, atrium;  // on the grid
  Point origin;        // of the field with the border, on the grid
  double reach;        // how far outside of the border, as a fraction of the square root of its area
};

// The caller's, n of each, written to.
struct Border {
  Point* points;
  double *wall, *atrium;
};

// Moves a chain of n pixels x, y to where the field has the level. Returns the area inside.
double trace(const Field& field, const int32_t* chain, std::size_t n, double level, Surroundings around, Border border);

// The part of echo_rt.model.ContourRule that `walled` needs.
struct ContourRule {
  double wall_probability, min_atrium_contact, min_gap, max_valve, min_wall, min_corner_sine, max_sharpen_px;
};

// points, wall, atrium: as many of each, one at least. reach >= 1. Empty where there is no opening, or too little wall.
std::vector<Point> walled(Points points, const double* wall, const double* atrium, std::size_t reach,
                          const ContourRule& rule);

// The part of a closed border from the point nearest to one end to that nearest to the other, on the way that leads
// away from `apex`, between the ends themselves. points: one at least.
std::vector<Point> over_the_roof(Points points, Point first, Point last, Point apex);

}  // namespace echo_rt
