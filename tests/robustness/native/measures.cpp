// The kernels that measure the cavity and the wall.
#include <algorithm>

#include "axis.hpp"
#include "contour.hpp"
#include "given.hpp"
#include "speckle.hpp"
#include "systole.hpp"
#include "wall.hpp"

namespace echo_rt::fuzz {

namespace {

constexpr int kSide = 40;

// A layer of any size, and its numbers.
struct Layer {
  std::ptrdiff_t height, width;
  std::vector<float> numbers;

  explicit Layer(Given& given)
      : height(given.whole(0, kSide)), width(given.whole(0, kSide)), numbers(given.layer(height * width)) {}
  Field field() const { return {numbers.data(), height, width}; }
};

Points of(const std::vector<Point>& points) { return {points.data(), points.size()}; }

ContourRule rule_of(Given& given) {
  if (given.coin()) return {0.5, 0.02, 0.05, 0.25, 0.25, 0.3, 2.5};
  return {given.real(), given.real(), given.real(), given.real(), given.real(), given.real(), given.real()};
}

void opened(Given& given, const std::vector<Point>& points, const double* wall, const double* atrium) {
  const auto open = walled(of(points), wall, atrium, given.whole(1, 50), rule_of(given));
  hold(open.size() <= points.size(), "no more is open than there is");
  std::vector<double> diameters(given.whole(0, 30), -1.0);
  const auto axis = long_axis(of(open), given.real(), diameters.size(), diameters.data());
  if (!axis) return;
  hold(axis->length > 0, "an axis has a length");
  for (const double one : diameters) hold(!(one < 0), "no diameter is negative");
}

// The way of a cavity from its probabilities to its axis, its border being drawn by chance.
void outlined(Given& given) {
  const Layer cavity(given), wall(given), atrium(given);
  const int reach = given.whole(0, 6);
  const auto weights = given.layer(2 * reach + 1);
  const Smoothing how{static_cast<float>(given.real()), given.whole(0, 1024), given.whole(0, 20), weights.data(),
                      reach};
  const Part part = smoothed(cavity.field(), how);
  hold(part.field.empty() || part.field.size() == static_cast<std::size_t>(part.height) * part.width,
       "a part has rows and columns");
  const Field field{part.field.data(), part.height, part.width};
  const auto n = static_cast<std::size_t>(given.whole(0, 60));
  std::vector<int32_t> chain;
  for (std::size_t i = 0; i < 2 * n; ++i) chain.push_back(given.any_whole());
  std::vector<Point> points(n);
  std::vector<double> beside_wall(n), beside_atrium(n);
  const double area =
      trace(field, chain.data(), n, given.real(), {wall.field(), atrium.field(), given.point(), given.real()},
            {points.data(), beside_wall.data(), beside_atrium.data()});
  hold(!(area < 0), "no area is negative");
  if (n) opened(given, points, beside_wall.data(), beside_atrium.data());
}

void opening(Given& given) {
  const auto points = given.points(given.whole(1, 120));
  const auto wall = given.reals(points.size()), atrium = given.reals(points.size());
  opened(given, points, wall.data(), atrium.data());
}

void axes(Given& given) {
  const auto points = given.points(given.whole(0, 200));
  std::vector<double> diameters(given.whole(0, 60));
  const auto axis = long_axis(of(points), given.real(), diameters.size(), diameters.data());
  hold(!axis || axis->length > 0, "an axis has a length");
}

void walls(Given& given) {
  const Layer cavity(given), wall(given);
  const auto points = given.points(given.whole(3, 120));
  const auto count = static_cast<std::size_t>(given.whole(0, 20));
  auto levels = given.reals(count + 2);
  if (given.coin()) std::sort(levels.begin(), levels.end());
  const WallLines lines{given.point(), given.real(), given.point(), given.point(),
                        levels.data(), count,        given.real(),  given.whole(2, 70)};
  std::vector<double> distances(2 * count), thicknesses(2 * count);
  std::vector<int8_t> segment(points.size(), -1);
  std::vector<Point> starts(2 * count), normals(2 * count);
  wall_lines(cavity.field(), wall.field(), of(points), lines,
             {distances.data(), thicknesses.data(), segment.data(), starts.data(), normals.data()});
  for (const int8_t one : segment) hold(one >= 0 && one <= 5, "a point lies in one of six segments");
}

void systoles(Given& given) {
  const auto n = static_cast<std::size_t>(given.whole(1, 60)), count = static_cast<std::size_t>(given.whole(0, 4));
  const auto pairs = static_cast<std::size_t>(given.whole(0, 12));
  const auto t = given.reals(n), y = given.reals(n * count);
  const auto begins = given.reals(kSlopes * pairs), lasts = given.reals(kSlopes * pairs);
  std::vector<double> misfits(pairs * count);
  systole_misfits({t.data(), y.data(), n, count}, {begins.data(), lasts.data(), pairs}, misfits.data());
}

void speckle(Given& given) {
  const Layer before(given), after(given);
  const auto count = static_cast<std::size_t>(given.whole(1, 9));
  const auto starts = given.points(count), normals = given.points(count);
  const double unit = std::abs(given.real());
  const Motion found = follow_speckle({before.field(), given.point()}, {after.field(), given.point()},
                                      {starts.data(), normals.data(), count, given.point(), unit, given.whole(1, 60)},
                                      given.whole(0, 5));
  hold(!(found.certain < 0), "nothing is less certain than not at all");
}

// The atrium's border from one hinge point to the other.
void roofs(Given& given) {
  std::vector<Point> points;
  for (int left = given.whole(1, 60); left > 0; --left) points.push_back(given.point());
  const auto way = over_the_roof(of(points), given.point(), given.point(), given.point());
  hold(way.size() >= 3 && way.size() <= points.size() + 3, "the way is part of the border, between both ends");
}

}  // namespace

const std::vector<Harness> kMeasures{{"outline", outlined}, {"walled", opening},   {"over_the_roof", roofs},
                                     {"long_axis", axes},   {"wall_lines", walls}, {"systole", systoles},
                                     {"speckle", speckle}};

}  // namespace echo_rt::fuzz
