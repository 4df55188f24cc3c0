#include "wall.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace echo_rt {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// Along the line from `start`, which goes by `step` from sample to sample. NaN where no wall is seen.
double thickness(const Field& cavity, const Field& wall, Point start, Point step, double unit, int samples) {
  double before = 0;
  bool seen = false;
  for (int k = 0; k < samples; ++k) {
    const Point p = start + static_cast<double>(k) * step;
    const double muscle = wall.sample(p), heart = cavity.sample(p) + muscle;
    if (k > 0 && heart < 0.5) return seen ? (k - (0.5 - heart) / std::max(before - heart, 1e-6)) * unit : kNothing;
    seen = seen || muscle > 0.5;
    before = heart;
  }
  return kNothing;
}

}  // namespace

void wall_lines(const Field& cavity, const Field& wall, Points points, WallLines lines, WallFound found) {
  const auto [up, length, origin, to_grid, levels, count, reach, samples] = lines;
  const std::size_t n = points.count;
  const Point across{-up.y, up.x};
  std::vector<double> level(n), lateral(n), rising, outwards, profile(count + 2);
  for (std::size_t i = 0; i < n; ++i) level[i] = dot(points[i], up) / length, lateral[i] = dot(points[i], across);
  const auto highest = static_cast<std::size_t>(std::max_element(level.begin(), level.end()) - level.begin());
  const std::size_t tip = std::min(std::max<std::size_t>(highest, 1), n - 2);
  for (std::size_t i = 0; i < n; ++i) {
    const int third = 3 * level[i] >= 2 ? 2 : 3 * level[i] >= 1 ? 1 : 0;
    found.segment[i] = static_cast<int8_t>(i <= tip ? third : 5 - third);
  }
  const double unit = reach / (samples - 1);
  for (std::size_t side = 0; side < 2; ++side) {
    const double out = (side == 0) == (lateral[0] < lateral[n - 1]) ? -1 : 1;
    rising.clear();
    outwards.clear();
    for (std::size_t k = 0, end = side == 0 ? tip + 1 : n - tip; k < end; ++k) {
      const std::size_t i = side == 0 ? k : n - 1 - k;
      rising.push_back(k > 0 ? std::max(rising.back(), level[i]) : level[i]);
      outwards.push_back(out * lateral[i]);
    }
    // Linear between the last point that is not above a level and the next one; beyond the ends, the end's.
    for (std::size_t k = 0, j = 0; k < count + 2; ++k) {
      while (j + 1 < rising.size() && rising[j + 1] <= levels[k]) ++j;
      const bool between = j + 1 < rising.size() && levels[k] > rising[j];
      profile[k] = outwards[j];
      if (between) {
        profile[k] += (outwards[j + 1] - outwards[j]) / (rising[j + 1] - rising[j]) * (levels[k] - rising[j]);
      }
    }
    for (std::size_t k = 0; k < count; ++k) {
      const double rise = length * (levels[k + 2] - levels[k]), slope = profile[k + 2] - profile[k];
      const double size = std::max(std::sqrt(rise * rise + slope * slope), 1e-9);
      const Point start = length * levels[k + 1] * up + out * profile[k + 1] * across;
      const Point normal = (out * rise / size) * across - (slope / size) * up;
      const Point first{origin.x + to_grid.x * start.x, origin.y + to_grid.y * start.y};
      const Point step{unit * to_grid.x * normal.x, unit * to_grid.y * normal.y};
      const std::size_t line = side * count + k;
      found.distances[line] = profile[k + 1];
      found.starts[line] = start, found.normals[line] = normal;
      found.thicknesses[line] = thickness(cavity, wall, first, step, unit, samples);
    }
  }
}

}  // namespace echo_rt
