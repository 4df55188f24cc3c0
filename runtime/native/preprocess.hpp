// The fused preprocess: uint8 image -> luma -> area-weighted letterbox -> normalised float32. The definition is in
// echo_rt/reference/preprocess.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grid_map.hpp"

namespace echo_rt {

// How much each image pixel counts in each grid pixel along one axis: grid pixel g takes `weights[start[g] .. start[g +
// 1])` of the image pixels from `first[g]` on.
struct Coverage {
  std::vector<int> first, start;
  std::vector<float> weights;

  Coverage(double scale, double shift, int grid, int image);
  int count(int g) const { return start[g + 1] - start[g]; }
};

// What is kept for images of one size. Two threads may share it.
struct Plan {
  GridMap place;
  float mean, std;
  Coverage rows, columns;

  Plan(const GridMap& place, float mean, float std);
};

// image: rows of `row_bytes` bytes, `channels` (1 or 3) interleaved. out: the grid, written to.
void preprocess(const Plan& plan, const uint8_t* image, std::ptrdiff_t row_bytes, int channels, float* out);

}  // namespace echo_rt
