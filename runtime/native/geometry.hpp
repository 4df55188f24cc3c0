// The monitor's loops over contours of some hundred points. The definitions are in echo_rt/cardiac/kernels, under the same names.
// Positions are x, y, points stand one after the other in one array. Nothing here reads outside of a field, whatever the positions are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "preprocess.hpp"

namespace echo_rt {

constexpr double NOTHING = std::numeric_limits<double>::quiet_NaN();

struct Point {
  double x, y;
};

inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator*(double s, Point a) { return {s * a.x, s * a.y}; }
inline double dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
inline double cross(Point a, Point b) { return a.x * b.y - a.y * b.x; }
inline double norm(Point a) { return std::sqrt(dot(a, a)); }

// A two-dimensional array that is zero outside.
struct Field {
  const float* data;
  std::ptrdiff_t height, width;

  float at(std::ptrdiff_t x, std::ptrdiff_t y) const {
    return x >= 0 && x < width && y >= 0 && y < height ? data[y * width + x] : 0.0f;
  }
  // Bilinear.
  double sample(Point p) const {
    // Nearly all points are well inside: nothing to check, and to cut off what is behind the point is to round down.
    if (p.x >= 0 && p.x < static_cast<double>(width - 1) && p.y >= 0 && p.y < static_cast<double>(height - 1)) {
      const auto x = static_cast<std::ptrdiff_t>(p.x), y = static_cast<std::ptrdiff_t>(p.y);
      const double fx = p.x - static_cast<double>(x), fy = p.y - static_cast<double>(y);
      const float *here = data + y * width + x, *next = here + width;
      return (here[0] * (1 - fx) + here[1] * fx) * (1 - fy) + (next[0] * (1 - fx) + next[1] * fx) * fy;
    }
    // Written so that NaN is outside too: it must not become an index.
    if (!(p.x > -1 && p.x < static_cast<double>(width) && p.y > -1 && p.y < static_cast<double>(height))) return 0;
    const double left = std::floor(p.x), top = std::floor(p.y), fx = p.x - left, fy = p.y - top;
    const auto x = static_cast<std::ptrdiff_t>(left), y = static_cast<std::ptrdiff_t>(top);
    const double above = at(x, y) * (1 - fx) + at(x + 1, y) * fx, below = at(x, y + 1) * (1 - fx) + at(x + 1, y + 1) * fx;
    return above * (1 - fy) + below * fy;
  }
};

// An open contour is closed by a straight line.
inline double signed_area(const Point* points, std::size_t n) {
  double twice = 0;
  for (std::size_t i = 0; i < n; ++i) twice += cross(points[i], points[i + 1 < n ? i + 1 : 0]);
  return twice / 2;
}

// A part of a field and, from `left` and `top` on, its place on it; nothing where it has no pixels.
struct Part {
  std::vector<float> field;
  int height, width, left, top;
};

ECHO_RT_CLONES inline void add_weighted(const float* from, float weight, int n, float* to) {
  for (int i = 0; i < n; ++i) to[i] += weight * from[i];
}

ECHO_RT_CLONES inline int count_above(const float* from, float level, int n) {
  int count = 0;
  for (int i = 0; i < n; ++i) count += from[i] > level;
  return count;
}

// weights: 2 reach + 1.
inline Part smoothed(const Field& cavity, float level, int margin, int pad, const float* weights, int reach) {
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
  std::vector<float> line(wide + 2 * static_cast<std::size_t>(reach), 0.0f), along(static_cast<std::size_t>(rows) * wide, 0.0f);
  for (int y = 0; y < rows; ++y) {
    const float* from = cavity.data + static_cast<std::ptrdiff_t>(top + y) * width + left;
    std::copy(from, from + columns, line.begin() + reach + pad);
    for (int k = 0; k <= 2 * reach; ++k) add_weighted(line.data() + k, weights[k], part.width, along.data() + static_cast<std::size_t>(y) * wide);
  }
  part.field.assign(static_cast<std::size_t>(part.height) * wide, 0.0f);
  for (int y = 0; y < part.height; ++y) {
    for (int k = 0; k <= 2 * reach; ++k) {
      const int from = y - pad + k - reach;
      if (from < 0 || from >= rows) continue;
      add_weighted(along.data() + static_cast<std::size_t>(from) * wide, weights[k], part.width, part.field.data() + static_cast<std::size_t>(y) * wide);
    }
  }
  return part;
}

// chain: n pixels x, y. points, wall, atrium: n each, written to. Returns the area.
inline double trace(const Field& field, const int32_t* chain, std::size_t n, double level, const Field& wall_field,
                    const Field& atrium_field, Point origin, double reach, Point* points, double* wall, double* atrium) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::ptrdiff_t x = chain[2 * i], y = chain[2 * i + 1];
    const Point gradient{(field.at(x + 1, y) - field.at(x - 1, y)) / 2.0, (field.at(x, y + 1) - field.at(x, y - 1)) / 2.0};
    const double slope = std::max(dot(gradient, gradient), 1e-4);
    Point p{static_cast<double>(x), static_cast<double>(y)};
    for (int newton = 0; newton < 3; ++newton) {
      const Point step = ((level - field.sample(p)) / slope) * gradient;
      p = p + (1 / std::max(norm(step), 1.0)) * step;
    }
    points[i] = p;
  }
  double area = signed_area(points, n);
  if (area < 0) {
    std::reverse(points, points + n);
    area = -area;
  }
  const double outwards = reach * std::sqrt(area);
  for (std::size_t i = 0; i < n; ++i) {
    const Point tangent = points[(i + 2) % n] - points[(i + n - 2 % n) % n];
    const double length = std::max(norm(tangent), 1e-9);
    const Point beside = points[i] + (outwards / length) * Point{tangent.y, -tangent.x} + origin;
    wall[i] = wall_field.sample(beside);
    atrium[i] = atrium_field.sample(beside);
  }
  for (std::size_t i = 0; i < n; ++i) points[i] = points[i] + origin;
  return area;
}

// The sharpest point of a closed border, as far as it is begun at `start`, within `reach` steps of place `near`.
inline std::size_t corner(const Point* points, std::size_t n, std::size_t start, std::size_t near, std::size_t reach) {
  const std::size_t begin = near > reach ? near - reach : 0, end = std::min(n - 1, near + reach);
  const Point first = points[(start + begin) % n], chord = points[(start + end) % n] - first;
  std::size_t sharpest = begin;
  double farthest = -1;
  for (std::size_t i = begin; i <= end; ++i) {
    const double aside = std::abs(cross(points[(start + i) % n] - first, chord));
    if (aside > farthest) farthest = aside, sharpest = i;
  }
  return sharpest;
}

inline Point sharpened(const Point* points, std::size_t n, std::size_t corner, std::size_t reach, double most) {
  const auto before = [&](std::size_t k) { return points[(corner + n - k % n) % n]; };
  const auto after = [&](std::size_t k) { return points[(corner + k) % n]; };
  const Point d1 = before(2) - before(reach + 1), d2 = after(2) - after(reach + 1), here = points[corner];
  const double turn = cross(d1, d2);
  if (std::abs(turn) < 0.3 * norm(d1) * norm(d2)) return here;
  Point m1{0, 0}, m2{0, 0};
  for (std::size_t k = 2; k < reach + 2; ++k) m1 = m1 + before(k), m2 = m2 + after(k);
  const double share = 1 / static_cast<double>(reach);
  m1 = share * m1;
  const Point meeting = m1 + (cross(share * m2 - m1, d2) / turn) * d1;
  return norm(meeting - here) <= most ? meeting : here;
}

// The longest run around the circle of what is below one half: its begin and its length.
inline std::pair<std::size_t, std::size_t> widest_gap(const double* wall, std::size_t n) {
  std::size_t turn = 0;
  while (turn < n && wall[turn] < 0.5) ++turn;
  std::size_t begin = 0, length = 0, run = 0;
  for (std::size_t i = 0; i < n && turn < n; ++i) {
    run = wall[(turn + i) % n] < 0.5 ? run + 1 : 0;
    if (run > length) length = run, begin = (turn + i + 1 - run) % n;
  }
  return {begin, length};
}

// points, wall, atrium: n >= 1. reach >= 1. Empty where there is no opening, or too little wall.
inline std::vector<Point> walled(const Point* points, const double* wall, const double* atrium, std::size_t n, std::size_t reach,
                                 double most) {
  const double all = static_cast<double>(n), turn = 2 * std::acos(-1.0) / all;
  double contact = 0, sine = 0, cosine = 0;
  const auto add = [&](std::size_t i, double weight) {
    contact += weight, sine += weight * std::sin(turn * static_cast<double>(i)), cosine += weight * std::cos(turn * static_cast<double>(i));
  };
  for (std::size_t i = 0; i < n; ++i) {
    if (atrium[i] > wall[i]) add(i, atrium[i] - wall[i]);
  }
  if (contact < 0.02 * all) {
    const auto [begin, length] = widest_gap(wall, n);
    if (static_cast<double>(length) < 0.05 * all) return {};
    contact = sine = cosine = 0;
    for (std::size_t i = 0; i < length; ++i) add((begin + i) % n, 1);
  }
  // To the nearest point. The middle of a gap of an even number of points lies between two: always the one after it, whatever the last digit.
  const auto middle = static_cast<std::ptrdiff_t>(std::floor(all * std::atan2(sine, cosine) / (2 * std::acos(-1.0)) + 0.5 + 1e-6));
  const auto whole = static_cast<std::ptrdiff_t>(n);
  std::size_t start = static_cast<std::size_t>((middle % whole + whole) % whole), skipped = 0;
  const auto has_wall = [&](std::size_t i) { return wall[(start + i) % n] > 0.5; };
  if (has_wall(0)) {
    while (skipped < n / 4 && has_wall(skipped)) ++skipped;
    if (skipped >= n / 4) return {};
    start = (start + skipped) % n;
  }
  std::size_t count = 0, first = n, last = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (has_wall(i)) ++count, first = std::min(first, i), last = i;
  }
  const std::size_t least = std::max<std::size_t>(1, n / 4);
  if (count < least) return {};
  first = corner(points, n, start, first, reach), last = corner(points, n, start, last, reach);
  if (last < first + least) return {};
  std::vector<Point> open{sharpened(points, n, (start + first) % n, reach, most)};
  for (std::size_t i = first + 1; i < last; ++i) open.push_back(points[(start + i) % n]);
  open.push_back(sharpened(points, n, (start + last) % n, reach, most));
  return open;
}

struct Axis {
  double length, area;
  Point apex;
};

// points: n of an open contour. diameters: `disks` of them, written to.
inline std::optional<Axis> long_axis(const Point* points, std::size_t n, double shell, std::size_t disks, double* diameters) {
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
  return Axis{length, std::abs(signed_area(points, n)), origin + length * direction};
}

// Along the line from `start`, which goes by `step` from sample to sample. NaN where no wall is seen.
inline double thickness(const Field& cavity, const Field& wall, Point start, Point step, double unit, int samples) {
  double before = 0;
  bool seen = false;
  for (int k = 0; k < samples; ++k) {
    const Point p = start + static_cast<double>(k) * step;
    const double muscle = wall.sample(p), heart = cavity.sample(p) + muscle;
    if (k > 0 && heart < 0.5) return seen ? (k - (0.5 - heart) / std::max(before - heart, 1e-6)) * unit : NOTHING;
    seen = seen || muscle > 0.5;
    before = heart;
  }
  return NOTHING;
}

// points: n >= 3. levels: count + 2. distances, thicknesses, starts, normals: 2 x count, segment: n; written to.
inline void wall_lines(const Field& cavity, const Field& wall, const Point* points, std::size_t n, Point up, double length, Point origin,
                       Point to_grid, const double* levels, std::size_t count, double reach, int samples, double* distances,
                       double* thicknesses, int8_t* segment, Point* starts, Point* normals) {
  const Point across{-up.y, up.x};
  std::vector<double> level(n), lateral(n), rising, outwards, profile(count + 2);
  for (std::size_t i = 0; i < n; ++i) level[i] = dot(points[i], up) / length, lateral[i] = dot(points[i], across);
  const auto highest = static_cast<std::size_t>(std::max_element(level.begin(), level.end()) - level.begin());
  const std::size_t tip = std::min(std::max<std::size_t>(highest, 1), n - 2);
  for (std::size_t i = 0; i < n; ++i) {
    const int third = 3 * level[i] >= 2 ? 2 : 3 * level[i] >= 1 ? 1 : 0;
    segment[i] = static_cast<int8_t>(i <= tip ? third : 5 - third);
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
      if (between) profile[k] += (outwards[j + 1] - outwards[j]) / (rising[j + 1] - rising[j]) * (levels[k] - rising[j]);
    }
    for (std::size_t k = 0; k < count; ++k) {
      const double rise = length * (levels[k + 2] - levels[k]), slope = profile[k + 2] - profile[k];
      const double size = std::max(std::sqrt(rise * rise + slope * slope), 1e-9);
      const Point start = length * levels[k + 1] * up + out * profile[k + 1] * across;
      const Point normal = (out * rise / size) * across - (slope / size) * up;
      const Point first{origin.x + to_grid.x * start.x, origin.y + to_grid.y * start.y};
      distances[side * count + k] = profile[k + 1];
      starts[side * count + k] = start, normals[side * count + k] = normal;
      thicknesses[side * count + k] =
          thickness(cavity, wall, first, {unit * to_grid.x * normal.x, unit * to_grid.y * normal.y}, unit, samples);
    }
  }
}

// hull: m >= 3 corners, in order. depths: n, written to.
inline void depth(const Point* hull, std::size_t m, const Point* points, std::size_t n, double* depths) {
  std::vector<Point> inward(m);
  std::vector<double> shift(m);
  const double turn = cross(hull[1] - hull[0], hull[2] - hull[0]) > 0 ? 1 : -1;
  for (std::size_t k = 0; k < m; ++k) {
    const Point side = hull[k + 1 < m ? k + 1 : 0] - hull[k];
    inward[k] = (turn / norm(side)) * Point{-side.y, side.x};
    shift[k] = dot(hull[k], inward[k]);
  }
  for (std::size_t i = 0; i < n; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < m; ++k) least = std::min(least, dot(points[i], inward[k]) - shift[k]);
    depths[i] = least;
  }
}

}  // namespace echo_rt
