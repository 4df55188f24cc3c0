// The map from a model's grid to an image, as echo_rt/grid_map.py has it.
#pragma once

namespace echo_rt {

struct GridMap {
  double scale, x0, y0;
  int height, width;              // of the grid
  int image_height, image_width;  // of the image
};

}  // namespace echo_rt
