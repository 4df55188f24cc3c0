// The long axis of a contour, and the disks along it. The definition is in echo_rt/reference/axis.py.
#pragma once

#include <cstddef>
#include <optional>

#include "points.hpp"

namespace echo_rt {

struct Axis {
  double length, area;
  Point apex;
};

// points: of an open contour. diameters: `disks` of them, written to. Nothing where the contour has no length.
std::optional<Axis> long_axis(Points points, double shell, std::size_t disks, double* diameters);

}  // namespace echo_rt
