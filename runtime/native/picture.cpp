#include "picture.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "vectors.hpp"

namespace echo_rt {

// Of n pixels by their colours: the strongest, and 1 where it is saturated.
ECHO_RT_CLONES void strongest(const uint8_t* blue, const uint8_t* green, const uint8_t* red, int n, int chroma,
                              uint8_t* levels, uint8_t* saturated) {
  for (int x = 0; x < n; ++x) {
    const uint8_t most = std::max(std::max(blue[x], green[x]), red[x]);
    const uint8_t least = std::min(std::min(blue[x], green[x]), red[x]);
    const int difference = most - least;
    levels[x] = most;
    saturated[x] = static_cast<uint8_t>((difference > chroma) & (difference > least));
  }
}

ECHO_RT_CLONES void brighter(const uint8_t* levels, int n, int dark, uint8_t* bright) {
  for (int x = 0; x < n; ++x) bright[x] = levels[x] > dark;
}

ECHO_RT_CLONES int sum(const uint8_t* ones, int n) {
  int count = 0;
  for (int x = 0; x < n; ++x) count += ones[x];
  return count;
}

// What is one pixel thin, a line or a letter, is no flow: all of two by two pixels must be coloured.
ECHO_RT_CLONES int squares(const uint8_t* above, const uint8_t* here, int n) {
  int count = 0;
  for (int x = 0; x < n; ++x) count += here[x] & here[x - 1] & above[x] & above[x - 1];
  return count;
}

double coarse(Pixels image, CoarseGrid grid, uint8_t* level, uint8_t* lit) {
  const auto [height, width, dark, chroma, window] = grid;
  const auto wide = static_cast<std::size_t>(width);
  std::vector<std::ptrdiff_t> columns(wide);
  for (int x = 0; x < width; ++x) columns[x] = static_cast<int64_t>(x) * image.width / width * image.pixel_bytes;
  const auto row_at = [&, height = height](int y) {
    return image.data + static_cast<int64_t>(y) * image.height / height * image.row_bytes;
  };
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
    uint8_t* levels = level + static_cast<std::ptrdiff_t>(y) * width;
    uint8_t* bright = lit + static_cast<std::ptrdiff_t>(y) * width;
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

}  // namespace echo_rt
