// An image on a coarse grid, and the sector in it. The definitions are in echo_rt/cardiac/kernels, under the same names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "geometry.hpp"
#include "preprocess.hpp"

namespace echo_rt {

// Rows and columns, both from `begin` up to `end`.
struct Window {
  int row_begin, row_end, column_begin, column_end;
};

struct Pixels {
  const uint8_t* data;
  std::ptrdiff_t row_bytes, pixel_bytes, colour_bytes;
  int channels, height, width;
};

// Of n pixels by their colours: the strongest, and 1 where it is saturated.
ECHO_RT_CLONES inline void strongest(const uint8_t* blue, const uint8_t* green, const uint8_t* red, int n, int chroma, uint8_t* levels,
                                     uint8_t* saturated) {
  for (int x = 0; x < n; ++x) {
    const uint8_t most = std::max(std::max(blue[x], green[x]), red[x]), least = std::min(std::min(blue[x], green[x]), red[x]);
    const int difference = most - least;
    levels[x] = most;
    saturated[x] = static_cast<uint8_t>((difference > chroma) & (difference > least));
  }
}

ECHO_RT_CLONES inline void brighter(const uint8_t* levels, int n, int dark, uint8_t* bright) {
  for (int x = 0; x < n; ++x) bright[x] = levels[x] > dark;
}

ECHO_RT_CLONES inline int sum(const uint8_t* ones, int n) {
  int count = 0;
  for (int x = 0; x < n; ++x) count += ones[x];
  return count;
}

// What is one pixel thin, a line or a letter, is no flow: all of two by two pixels must be coloured.
ECHO_RT_CLONES inline int squares(const uint8_t* above, const uint8_t* here, int n) {
  int count = 0;
  for (int x = 0; x < n; ++x) count += here[x] & here[x - 1] & above[x] & above[x - 1];
  return count;
}

// level, lit: (height, width), written to. Returns the share of colour.
inline double coarse(const Pixels& image, int height, int width, int dark, int chroma, const Window& window, uint8_t* level, uint8_t* lit) {
  const auto wide = static_cast<std::size_t>(width);
  std::vector<std::ptrdiff_t> columns(wide);
  for (int x = 0; x < width; ++x) columns[x] = static_cast<int64_t>(x) * image.width / width * image.pixel_bytes;
  const auto row_at = [&](int y) { return image.data + static_cast<int64_t>(y) * image.height / height * image.row_bytes; };
  std::vector<uint8_t> colours(3 * wide);
  uint8_t *blue = colours.data(), *green = blue + width, *red = green + width;
  // Of the row before and of this one: 1 where the colour is saturated, as all is that lies outside of the image.
  std::vector<uint8_t> saturated(2 * (wide + 1), 1);
  uint8_t *above = saturated.data() + 1, *here = above + wide + 1;
  int64_t flow = 0, lit_count = 0;
  for (int y = 0; y < height; ++y) {
    const uint8_t* row = row_at(y);
#if defined(__GNUC__)
    // Rows lie pages apart, which no processor foresees.
    if (y + 1 < height && image.row_bytes > 0 && image.pixel_bytes > 0) {
      const uint8_t* next = row_at(y + 1);
      for (std::ptrdiff_t byte = 0; byte <= columns[wide - 1]; byte += 64) __builtin_prefetch(next + byte);
    }
#endif
    uint8_t *levels = level + static_cast<std::ptrdiff_t>(y) * width, *bright = lit + static_cast<std::ptrdiff_t>(y) * width;
    if (image.channels == 1) {
      for (int x = 0; x < width; ++x) levels[x] = row[columns[x]];
    } else {
      for (int x = 0; x < width; ++x) {
        const uint8_t* pixel = row + columns[x];
        blue[x] = pixel[0], green[x] = pixel[image.colour_bytes], red[x] = pixel[2 * image.colour_bytes];
      }
      strongest(blue, green, red, width, chroma, levels, here);
    }
    brighter(levels, width, dark, bright);
    if (image.channels == 1) continue;
    if (y >= window.row_begin && y < window.row_end && window.column_begin < window.column_end) {
      const int first = window.column_begin, n = window.column_end - first;
      lit_count += sum(bright + first, n), flow += squares(above + first, here + first, n);
    }
    std::swap(above, here);
  }
  return lit_count ? static_cast<double>(flow) / static_cast<double>(lit_count) : 0.0;
}

// The largest (smallest) of three by three pixels, those outside of the picture aside. `rows` is of the same size, written to.
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
    const uint8_t *above = &rows[static_cast<std::size_t>(std::max(y - 1, 0)) * width], *here = &rows[static_cast<std::size_t>(y) * width],
                  *below = &rows[static_cast<std::size_t>(std::min(y + 1, height - 1)) * width];
    uint8_t* to = &picture[static_cast<std::size_t>(y) * width];
    for (int x = 0; x < width; ++x) to[x] = choose(choose(above[x], here[x]), below[x]);
  }
}

// Corners of the convex hull of points that come row by row and from left to right in each (Andrew's monotone chain).
inline std::vector<Point> convex_hull(const std::vector<Point>& points) {
  std::vector<Point> hull;
  const auto chain = [&hull](Point point, std::size_t begin) {
    while (hull.size() >= begin + 2 && cross(hull.back() - hull[hull.size() - 2], point - hull.back()) <= 0) hull.pop_back();
    hull.push_back(point);
  };
  for (const Point& point : points) chain(point, 0);
  const std::size_t turn = hull.size() - 1;
  for (auto point = points.rbegin() + 1; point != points.rend(); ++point) chain(*point, turn);
  hull.pop_back();
  return hull;
}

inline std::vector<Point> sector(const uint8_t* lit, int height, int width, double speck) {
  const auto larger = [](uint8_t a, uint8_t b) { return std::max(a, b); };
  const auto smaller = [](uint8_t a, uint8_t b) { return std::min(a, b); };
  std::vector<uint8_t> picture(static_cast<std::size_t>(height) * width), rows(picture.size());
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = lit[i] != 0;
  three_by_three(picture, rows, height, width, larger);  // closing
  three_by_three(picture, rows, height, width, smaller);
  three_by_three(picture, rows, height, width, smaller);  // opening
  three_by_three(picture, rows, height, width, larger);

  // Stretches of lit pixels in a row, and the piece that each belongs to: the first stretch of the piece stands for it.
  struct Stretch {
    int y, begin, end;
  };
  std::vector<Stretch> stretches;
  std::vector<std::size_t> piece;
  const auto root = [&piece](std::size_t i) {
    while (piece[i] != i) i = piece[i] = piece[piece[i]];
    return i;
  };
  std::size_t above = 0;
  for (int y = 0; y < height; ++y) {
    const std::size_t first = stretches.size();
    const uint8_t* row = &picture[static_cast<std::size_t>(y) * width];
    for (int x = 0; x < width;) {
      const auto* lit_from = static_cast<const uint8_t*>(std::memchr(row + x, 1, static_cast<std::size_t>(width - x)));
      if (!lit_from) break;
      const int begin = static_cast<int>(lit_from - row);
      const auto* dark_from = static_cast<const uint8_t*>(std::memchr(lit_from, 0, static_cast<std::size_t>(width - begin)));
      x = dark_from ? static_cast<int>(dark_from - row) : width;
      while (above < first && (stretches[above].y < y - 1 || stretches[above].end < begin)) ++above;
      const std::size_t i = stretches.size();
      stretches.push_back({y, begin, x});
      piece.push_back(i);
      // Those that touch it from above, by a corner too. The last one of them may touch the next stretch as well.
      for (std::size_t j = above; j < first && stretches[j].begin <= x; ++j) {
        const std::size_t one = root(i), other = root(j);
        piece[std::max(one, other)] = std::min(one, other);
      }
    }
    above = first;
  }
  std::vector<int> size(stretches.size());
  for (std::size_t i = 0; i < stretches.size(); ++i) size[root(i)] += stretches[i].end - stretches[i].begin;
  const double least = size.empty() ? 0 : speck * *std::max_element(size.begin(), size.end());
  std::vector<Point> ends;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const Stretch& one = stretches[i];
    if (size[root(i)] < least) continue;
    ends.push_back({static_cast<double>(one.begin), static_cast<double>(one.y)});
    if (one.end - one.begin > 1) ends.push_back({static_cast<double>(one.end - 1), static_cast<double>(one.y)});
  }
  return ends.size() < 3 ? std::vector<Point>{} : convex_hull(ends);
}

}  // namespace echo_rt
