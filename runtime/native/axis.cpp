#include "axis.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace echo_rt {

std::optional<Axis> long_axis(Points points, double shell, std::size_t disks, double* diameters) {
  const std::size_t n = points.count;
  if (n < 2) return std::nullopt;
  const Point origin = 0.5 * (points[0] + points[n - 1]);
  std::vector<double> away(n), axial(n), lateral(n);
  for (std::size_t i = 0; i < n; ++i) away[i] = norm(points[i] - origin);
  const double farthest = *std::max_element(away.begin(), away.end());
  Point sum{0, 0};
  double count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (away[i] >= shell * farthest) sum = sum + points[i], ++count;
  }
  if (count == 0) return std::nullopt;
  const Point towards = (1 / count) * sum - origin;
  const double far = norm(towards);
  if (!(far >= 1e-6)) return std::nullopt;
  const Point direction = (1 / far) * towards;
  double length = 0;
  for (std::size_t i = 0; i < n; ++i) {
    axial[i] = dot(points[i] - origin, direction);
    lateral[i] = cross(direction, points[i] - origin);
    if (i > 0 && (lateral[i - 1] < 0) != (lateral[i] < 0)) {
      const double a = lateral[i - 1], b = lateral[i];
      length = std::max(length, axial[i - 1] + a / (a - b) * (axial[i] - axial[i - 1]));
    }
  }
  if (!(length > 0)) return std::nullopt;
  for (std::size_t k = 0; k < disks; ++k) {
    const double at = (static_cast<double>(k) + 0.5) * (length / static_cast<double>(disks));
    double chord = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t j = i + 1 < n ? i + 1 : 0;
      const double u0 = axial[i], u1 = axial[j];
      if ((u0 >= at) == (u1 >= at)) continue;
      const double place = lateral[i] + (at - u0) / (u1 - u0) * (lateral[j] - lateral[i]);
      chord += u1 >= at ? place : -place;
    }
    diameters[k] = std::abs(chord);
  }
  return Axis{length, std::abs(signed_area(points)), origin + length * direction};
}

}  // namespace echo_rt
