// The sector in a picture, and how deep points lie in it. The definitions are in echo_rt/reference/picture.py.
#pragma once

#include <cstdint>
#include <vector>

#include "points.hpp"

namespace echo_rt {

// The corners of the convex hull of what is lit, in order; fewer than three where nothing is lit that has an area.
std::vector<Point> sector(const uint8_t* lit, int height, int width, double speck);

// hull: three corners or more, in order. depths: one for each point, written to.
void depth(Points hull, Points points, double* depths);

}  // namespace echo_rt
