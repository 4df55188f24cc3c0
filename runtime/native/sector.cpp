#include "sector.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

namespace echo_rt {

namespace {

// The largest (smallest) of three by three pixels, those outside of the picture aside. `rows`: of the same size,
// written to.
template <typename Choose>
void three_by_three(std::vector<uint8_t>& picture, std::vector<uint8_t>& rows, int height, int width, Choose choose) {
  for (int y = 0; y < height; ++y) {
    const uint8_t* from = &picture[static_cast<std::size_t>(y) * width];
    uint8_t* to = &rows[static_cast<std::size_t>(y) * width];
    if (width == 1) {
      to[0] = from[0];
      continue;
    }
    to[0] = choose(from[0], from[1]);
    for (int x = 1; x < width - 1; ++x) to[x] = choose(choose(from[x - 1], from[x]), from[x + 1]);
    to[width - 1] = choose(from[width - 2], from[width - 1]);
  }
  for (int y = 0; y < height; ++y) {
    const uint8_t* here = &rows[static_cast<std::size_t>(y) * width];
    const uint8_t* above = &rows[static_cast<std::size_t>(std::max(y - 1, 0)) * width];
    const uint8_t* below = &rows[static_cast<std::size_t>(std::min(y + 1, height - 1)) * width];
    uint8_t* to = &picture[static_cast<std::size_t>(y) * width];
    for (int x = 0; x < width; ++x) to[x] = choose(choose(above[x], here[x]), below[x]);
  }
}

// What is lit, gaps up to two pixels wide closed, and without what is thinner than three pixels.
std::vector<uint8_t> cleaned(const uint8_t* lit, int height, int width) {
  const auto larger = [](uint8_t a, uint8_t b) { return std::max(a, b); };
  const auto smaller = [](uint8_t a, uint8_t b) { return std::min(a, b); };
  std::vector<uint8_t> picture(static_cast<std::size_t>(height) * width), rows(picture.size());
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = lit[i] != 0;
  three_by_three(picture, rows, height, width, larger);  // closing
  three_by_three(picture, rows, height, width, smaller);
  three_by_three(picture, rows, height, width, smaller);  // opening
  three_by_three(picture, rows, height, width, larger);
  return picture;
}

// Lit pixels side by side in a row.
struct Stretch {
  int y, begin, end;
};

// The stretches of a picture, and the pieces that they make: the first stretch of a piece stands for it.
struct Pieces {
  std::vector<Stretch> stretches;
  std::vector<std::size_t> piece;

  std::size_t root(std::size_t i) {
    while (piece[i] != i) i = piece[i] = piece[piece[i]];
    return i;
  }
};

Pieces pieces_of(const std::vector<uint8_t>& picture, int height, int width) {
  Pieces found;
  auto& [stretches, piece] = found;
  std::size_t above = 0;
  for (int y = 0; y < height; ++y) {
    const std::size_t first = stretches.size();
    const uint8_t* row = &picture[static_cast<std::size_t>(y) * width];
    // The place of the first such pixel from x on; the width where there is none.
    const auto next = [&](int x, int value) {
      const void* at = std::memchr(row + x, value, static_cast<std::size_t>(width - x));
      return at ? static_cast<int>(static_cast<const uint8_t*>(at) - row) : width;
    };
    for (int x = next(0, 1); x < width; x = next(x, 1)) {
      const int begin = x;
      x = next(begin, 0);
      while (above < first && (stretches[above].y < y - 1 || stretches[above].end < begin)) ++above;
      const std::size_t i = stretches.size();
      stretches.push_back({y, begin, x});
      piece.push_back(i);
      // Those that touch it from above, by a corner too. The last one of them may touch the next stretch as well.
      for (std::size_t j = above; j < first && stretches[j].begin <= x; ++j) {
        const std::size_t one = found.root(i), other = found.root(j);
        piece[std::max(one, other)] = std::min(one, other);
      }
    }
    above = first;
  }
  return found;
}

// Corners of the convex hull of points that come row by row and from left to right in each (Andrew's monotone chain).
std::vector<Point> convex_hull(const std::vector<Point>& points) {
  std::vector<Point> hull;
  const auto chain = [&hull](Point point, std::size_t begin) {
    while (hull.size() >= begin + 2 && cross(hull.back() - hull[hull.size() - 2], point - hull.back()) <= 0) {
      hull.pop_back();
    }
    hull.push_back(point);
  };
  for (const Point& point : points) chain(point, 0);
  const std::size_t turn = hull.size() - 1;
  for (auto point = points.rbegin() + 1; point != points.rend(); ++point) chain(*point, turn);
  hull.pop_back();
  return hull;
}

}  // namespace

std::vector<Point> sector(const uint8_t* lit, int height, int width, double speck) {
  if (height == 0 || width == 0) return {};
  Pieces found = pieces_of(cleaned(lit, height, width), height, width);
  const std::vector<Stretch>& stretches = found.stretches;
  std::vector<int> size(stretches.size());
  for (std::size_t i = 0; i < stretches.size(); ++i) size[found.root(i)] += stretches[i].end - stretches[i].begin;
  const double least = size.empty() ? 0 : speck * *std::max_element(size.begin(), size.end());
  std::vector<Point> ends;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const Stretch& one = stretches[i];
    if (size[found.root(i)] < least) continue;
    ends.push_back({static_cast<double>(one.begin), static_cast<double>(one.y)});
    if (one.end - one.begin > 1) ends.push_back({static_cast<double>(one.end - 1), static_cast<double>(one.y)});
  }
  return ends.size() < 3 ? std::vector<Point>{} : convex_hull(ends);
}

void depth(Points hull, Points points, double* depths) {
  const std::size_t m = hull.count;
  std::vector<Point> inward(m);
  std::vector<double> shift(m);
  const double turn = cross(hull[1] - hull[0], hull[2] - hull[0]) > 0 ? 1 : -1;
  for (std::size_t k = 0; k < m; ++k) {
    const Point side = hull[k + 1 < m ? k + 1 : 0] - hull[k];
    inward[k] = (turn / norm(side)) * Point{-side.y, side.x};
    shift[k] = dot(hull[k], inward[k]);
  }
  for (std::size_t i = 0; i < points.count; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < m; ++k) least = std::min(least, dot(points[i], inward[k]) - shift[k]);
    depths[i] = least;
  }
}

}  // namespace echo_rt
