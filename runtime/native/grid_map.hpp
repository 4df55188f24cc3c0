// The map from a model's grid to an image, as echo_rt/grid_map.py has it.
#pragma once

#include <cmath>

namespace echo_rt {

struct GridMap {
  double scale, x0, y0;
  int height, width;              // of the grid
  int image_height, image_width;  // of the image

  // Whether there are pixels, and every one of them has a place.
  bool usable() const {
    return height >= 1 && width >= 1 && image_height >= 1 && image_width >= 1 && scale > 0 && std::isfinite(scale) &&
           std::isfinite(x0) && std::isfinite(y0);
  }
};

}  // namespace echo_rt
