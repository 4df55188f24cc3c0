// An image on a coarse grid. The definition is `reference_coarse` in echo_rt/cardiac/kernels.py.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

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

// level, lit: (height, width), written to. Returns the share of colour.
inline double coarse(const Pixels& image, int height, int width, int dark, int chroma, const Window& window, uint8_t* level, uint8_t* lit) {
  std::vector<std::ptrdiff_t> columns(static_cast<std::size_t>(width));
  for (int x = 0; x < width; ++x) columns[x] = static_cast<int64_t>(x) * image.width / width * image.pixel_bytes;
  // Of the row before and of this one: 1 where the colour is saturated.
  std::vector<uint8_t> saturated(2 * static_cast<std::size_t>(width));
  uint8_t *above = saturated.data(), *here = above + width;
  int64_t flow = 0, lit_count = 0;
  for (int y = 0; y < height; ++y, std::swap(above, here)) {
    const uint8_t* row = image.data + static_cast<int64_t>(y) * image.height / height * image.row_bytes;
    uint8_t *levels = level + static_cast<std::ptrdiff_t>(y) * width, *bright = lit + static_cast<std::ptrdiff_t>(y) * width;
    if (image.channels == 1) {
      for (int x = 0; x < width; ++x) levels[x] = row[columns[x]];
    } else {
      for (int x = 0; x < width; ++x) {
        const uint8_t* pixel = row + columns[x];
        const uint8_t blue = pixel[0], green = pixel[image.colour_bytes], red = pixel[2 * image.colour_bytes];
        const uint8_t strongest = std::max({blue, green, red}), weakest = std::min({blue, green, red});
        levels[x] = strongest;
        here[x] = strongest - weakest > chroma && strongest - weakest > weakest;
      }
    }
    for (int x = 0; x < width; ++x) bright[x] = levels[x] > dark;
    if (image.channels == 1 || y < window.row_begin || y >= window.row_end) continue;
    for (int x = window.column_begin; x < window.column_end; ++x) {
      lit_count += bright[x];
      // What is one pixel thin, a line or a letter, is no flow: all of two by two pixels must be coloured, those outside of the image aside.
      const bool left = !x || (here[x - 1] && (!y || above[x - 1]));
      flow += here[x] && (!y || above[x]) && left;
    }
  }
  return lit_count ? static_cast<double>(flow) / static_cast<double>(lit_count) : 0.0;
}

}  // namespace echo_rt
