// Labels at image size. The definition is in echo_rt/reference/mask.py.
#pragma once

#include <cstdint>

#include "grid_map.hpp"

namespace echo_rt {

// probability: kClasses x the grid. out: the image, written to.
void enlarge(const float* probability, const GridMap& place, uint8_t* out);

}  // namespace echo_rt
