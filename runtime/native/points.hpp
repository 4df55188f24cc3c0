// Points and fields. Positions are x, y. Nothing here reads outside of a field, whatever the positions are.
#pragma once

#include <cmath>
#include <cstddef>

namespace echo_rt {

struct Point {
  double x, y;
};

inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator*(double s, Point a) { return {s * a.x, s * a.y}; }
inline double dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
inline double cross(Point a, Point b) { return a.x * b.y - a.y * b.x; }
inline double norm(Point a) { return std::sqrt(dot(a, a)); }

// Points one after the other in an array of the caller's.
struct Points {
  const Point* data;
  std::size_t count;

  const Point& operator[](std::size_t i) const { return data[i]; }
};

// Inside a contour, closed by a straight line; positive where it runs clockwise on the screen.
inline double signed_area(Points points) {
  if (points.count == 0) return 0;
  double twice = cross(points[points.count - 1], points[0]);
  for (std::size_t i = 0; i + 1 < points.count; ++i) twice += cross(points[i], points[i + 1]);
  return twice / 2;
}

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
    const double above = at(x, y) * (1 - fx) + at(x + 1, y) * fx;
    const double below = at(x, y + 1) * (1 - fx) + at(x + 1, y + 1) * fx;
    return above * (1 - fy) + below * fy;
  }
};

}  // namespace echo_rt
