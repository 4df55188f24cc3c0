#include "contour.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "vectors.hpp"
#include "whole.hpp"

namespace echo_rt {

ECHO_RT_CLONES void add_weighted(const float* from, float weight, int n, float* to) {
  for (int i = 0; i < n; ++i) to[i] += weight * from[i];
}

ECHO_RT_CLONES int count_above(const float* from, float level, int n) {
  int count = 0;
  for (int i = 0; i < n; ++i) count += from[i] > level;
  return count;
}

Part smoothed(const Field& cavity, Smoothing how) {
  const auto [level, margin, pad, weights, reach] = how;
  const int height = static_cast<int>(cavity.height), width = static_cast<int>(cavity.width);
  int top = height, bottom = 0, left = width, right = 0;
  for (int y = 0; y < height; ++y) {
    const float* row = cavity.data + static_cast<std::ptrdiff_t>(y) * width;
    if (!count_above(row, level, width)) continue;
    top = std::min(top, y), bottom = y + 1;
    int first = 0, last = width;
    while (!(row[first] > level)) ++first;
    while (!(row[last - 1] > level)) --last;
    left = std::min(left, first), right = std::max(right, last);
  }
  if (top >= bottom) return {{}, 0, 0, 0, 0};
  top = std::max(0, top - margin), left = std::max(0, left - margin);
  const int rows = std::min(height, bottom + margin) - top, columns = std::min(width, right + margin) - left;
  Part part{{}, rows + 2 * pad, columns + 2 * pad, left - pad, top - pad};
  const auto wide = static_cast<std::size_t>(part.width);
  // Along the rows, which are zero beyond their ends; then along the columns.
  std::vector<float> line(wide + 2 * static_cast<std::size_t>(reach), 0.0f);
  std::vector<float> along(static_cast<std::size_t>(rows) * wide, 0.0f);
  for (int y = 0; y < rows; ++y) {
    const float* from = cavity.data + static_cast<std::ptrdiff_t>(top + y) * width + left;
    std::copy(from, from + columns, line.begin() + reach + pad);
    float* to = along.data() + static_cast<std::size_t>(y) * wide;
    for (int k = 0; k <= 2 * reach; ++k) add_weighted(line.data() + k, weights[k], part.width, to);
  }
  part.field.assign(static_cast<std::size_t>(part.height) * wide, 0.0f);
  for (int y = 0; y < part.height; ++y) {
    float* to = part.field.data() + static_cast<std::size_t>(y) * wide;
    for (int k = 0; k <= 2 * reach; ++k) {
      const int from = y - pad + k - reach;
      if (from < 0 || from >= rows) continue;
      add_weighted(along.data() + static_cast<std::size_t>(from) * wide, weights[k], part.width, to);
    }
  }
  return part;
}

double trace(const Field& field, const int32_t* chain, std::size_t n, double level, Surroundings around,
             Border border) {
  Point* points = border.points;
  for (std::size_t i = 0; i < n; ++i) {
    const std::ptrdiff_t x = chain[2 * i], y = chain[2 * i + 1];
    const Point gradient{(field.at(x + 1, y) - field.at(x - 1, y)) / 2.0,
                         (field.at(x, y + 1) - field.at(x, y - 1)) / 2.0};
    const double slope = std::max(dot(gradient, gradient), 1e-4);
    Point p{static_cast<double>(x), static_cast<double>(y)};
    for (int newton = 0; newton < 3; ++newton) {
      const Point step = ((level - field.sample(p)) / slope) * gradient;
      p = p + (1 / std::max(norm(step), 1.0)) * step;
    }
    points[i] = p;
  }
  double area = signed_area({points, n});
  if (area < 0) {
    std::reverse(points, points + n);
    area = -area;
  }
  const double outwards = around.reach * std::sqrt(area);
  for (std::size_t i = 0; i < n; ++i) {
    const Point tangent = points[(i + 2) % n] - points[(i + n - 2 % n) % n];
    const double length = std::max(norm(tangent), 1e-9);
    const Point beside = points[i] + (outwards / length) * Point{tangent.y, -tangent.x} + around.origin;
    border.wall[i] = around.wall.sample(beside);
    border.atrium[i] = around.atrium.sample(beside);
  }
  for (std::size_t i = 0; i < n; ++i) points[i] = points[i] + around.origin;
  return area;
}

namespace {

// The sharpest point of a closed border, as far as it is begun at `start`, within `reach` steps of place `near`.
std::size_t corner_of(Points points, std::size_t start, std::size_t near, std::size_t reach) {
  const std::size_t n = points.count, begin = near > reach ? near - reach : 0, end = std::min(n - 1, near + reach);
  const Point first = points[(start + begin) % n], chord = points[(start + end) % n] - first;
  std::size_t sharpest = begin;
  double farthest = -1;
  for (std::size_t i = begin; i <= end; ++i) {
    const double aside = std::abs(cross(points[(start + i) % n] - first, chord));
    if (aside > farthest) farthest = aside, sharpest = i;
  }
  return sharpest;
}

// Where the two sides of a corner would meet; the corner itself where they do not meet near.
Point sharpened(Points points, std::size_t corner, std::size_t reach, const ContourRule& rule) {
  const std::size_t n = points.count;
  const auto before = [&](std::size_t k) { return points[(corner + n - k % n) % n]; };
  const auto after = [&](std::size_t k) { return points[(corner + k) % n]; };
  const Point d1 = before(2) - before(reach + 1), d2 = after(2) - after(reach + 1), here = points[corner];
  const double turn = cross(d1, d2);
  if (std::abs(turn) < rule.min_corner_sine * norm(d1) * norm(d2)) return here;
  Point m1{0, 0}, m2{0, 0};
  for (std::size_t k = 2; k < reach + 2; ++k) m1 = m1 + before(k), m2 = m2 + after(k);
  const double share = 1 / static_cast<double>(reach);
  m1 = share * m1;
  const Point meeting = m1 + (cross(share * m2 - m1, d2) / turn) * d1;
  return norm(meeting - here) <= rule.max_sharpen_px ? meeting : here;
}

// The longest run around the circle of what is below a probability: its begin and its length.
std::pair<std::size_t, std::size_t> widest_gap(const double* wall, std::size_t n, double probability) {
  std::size_t turn = 0;
  while (turn < n && wall[turn] < probability) ++turn;
  std::size_t begin = 0, length = 0, run = 0;
  for (std::size_t i = 0; i < n && turn < n; ++i) {
    run = wall[(turn + i) % n] < probability ? run + 1 : 0;
    if (run > length) length = run, begin = (turn + i + 1 - run) % n;
  }
  return {begin, length};
}

// The point nearest to the middle of the opening in the wall.
std::optional<std::size_t> middle_of_the_opening(const double* wall, const double* atrium, std::size_t n,
                                                 const ContourRule& rule) {
  const double all = static_cast<double>(n), turn = 2 * std::acos(-1.0) / all;
  double contact = 0, sine = 0, cosine = 0;
  const auto add = [&](std::size_t i, double weight) {
    const double angle = turn * static_cast<double>(i);
    contact += weight, sine += weight * std::sin(angle), cosine += weight * std::cos(angle);
  };
  for (std::size_t i = 0; i < n; ++i) {
    if (atrium[i] > wall[i]) add(i, atrium[i] - wall[i]);
  }
  if (contact < rule.min_atrium_contact * all) {
    const auto [begin, length] = widest_gap(wall, n, rule.wall_probability);
    if (static_cast<double>(length) < rule.min_gap * all) return std::nullopt;
    contact = sine = cosine = 0;
    for (std::size_t i = 0; i < length; ++i) add((begin + i) % n, 1);
  }
  // The middle of a gap of an even number of points lies between two: always the one after it, whatever the last digit.
  const double middle = std::floor(all * std::atan2(sine, cosine) / (2 * std::acos(-1.0)) + 0.5 + 1e-6);
  const auto most = static_cast<std::ptrdiff_t>(n);
  return static_cast<std::size_t>((whole(middle, -most, most) + most) % most);
}

}  // namespace

std::vector<Point> walled(Points points, const double* wall, const double* atrium, std::size_t reach,
                          const ContourRule& rule) {
  const std::size_t n = points.count;
  const std::optional<std::size_t> middle = middle_of_the_opening(wall, atrium, n, rule);
  if (!middle) return {};
  std::size_t start = *middle;
  const auto has_wall = [&](std::size_t i) { return wall[(start + i) % n] > rule.wall_probability; };
  if (has_wall(0)) {
    // A spot of wall in the middle of the opening (valve tissue); start beside it, or there is none.
    const auto most = whole<std::size_t>(rule.max_valve * static_cast<double>(n), 0, n);
    std::size_t skipped = 0;
    while (skipped < most && has_wall(skipped)) ++skipped;
    if (skipped >= most) return {};
    start = (start + skipped) % n;
  }
  std::size_t count = 0, first = n, last = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (has_wall(i)) ++count, first = std::min(first, i), last = i;
  }
  // One more than there are is as much too many as any number.
  const auto least = std::max<std::size_t>(1, whole<std::size_t>(rule.min_wall * static_cast<double>(n), 0, n + 1));
  if (count < least) return {};
  first = corner_of(points, start, first, reach), last = corner_of(points, start, last, reach);
  if (last < first + least) return {};
  std::vector<Point> open{sharpened(points, (start + first) % n, reach, rule)};
  for (std::size_t i = first + 1; i < last; ++i) open.push_back(points[(start + i) % n]);
  open.push_back(sharpened(points, (start + last) % n, reach, rule));
  return open;
}

std::vector<Point> over_the_roof(Points points, Point first, Point last, Point apex) {
  const std::size_t n = points.count;
  const Point down = first + last - 2.0 * apex;
  std::size_t begin = 0, end = 0;
  double to_begin = INFINITY, to_end = INFINITY;
  for (std::size_t i = 0; i < n; ++i) {
    const Point from_first = points[i] - first, from_last = points[i] - last;
    if (dot(from_first, from_first) < to_begin) to_begin = dot(from_first, from_first), begin = i;
    if (dot(from_last, from_last) < to_end) to_end = dot(from_last, from_last), end = i;
  }
  const std::size_t low = std::min(begin, end), high = std::max(begin, end);
  double inner = 0, outer = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double depth = dot(points[i], down);
    if (i >= low && i <= high) inner += depth;
    if (i <= low) outer += depth;
    if (i >= high) outer += depth;
  }
  const std::size_t many = high - low + 1, others = (n - high) + (low + 1);
  const bool inside = inner * static_cast<double>(others) > outer * static_cast<double>(many);
  std::vector<Point> way{first};
  way.reserve(n + 3);
  // The outer part runs from the higher place over the end of the border to the lower one.
  for (std::size_t k = 0; k < (inside ? many : others); ++k) way.push_back(points[inside ? low + k : (high + k) % n]);
  if ((begin <= end) != inside) std::reverse(way.begin() + 1, way.end());
  way.push_back(last);
  return way;
}

}  // namespace echo_rt
