#include "drawing.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "vectors.hpp"
#include "whole.hpp"

namespace echo_rt {

namespace {

struct Range {
  std::ptrdiff_t begin, end;
};

// The pixels of a picture that show the grid positions `first` to `last`, and two beyond either.
Range shown(std::ptrdiff_t first, std::ptrdiff_t last, float scale, float shift, std::ptrdiff_t size) {
  const auto pixel = [&](std::ptrdiff_t position) {
    return whole<std::ptrdiff_t>((static_cast<double>(position) - shift) / scale, 0, size);
  };
  return {pixel(first - 2), pixel(last + 2)};
}

// Of the pixels of a picture along one axis: the grid pixel before each, and how far it is on the way to the next one.
struct Between {
  std::vector<int> low;
  std::vector<float> share;

  // Positions outside of a grid of `size` pixels are all alike.
  Between(Range pixels, float scale, float shift, std::ptrdiff_t size) {
    for (std::ptrdiff_t p = pixels.begin; p < pixels.end; ++p) {
      const float place = scale * static_cast<float>(p) + shift, below = std::floor(place);
      low.push_back(whole(below, -2, static_cast<int>(size))), share.push_back(place - below);
    }
  }
};

}  // namespace

// out[x] = how much of the colour there is `share` of the way from the row `a` to the row `b` of the layer.
ECHO_RT_CLONES void weights(const float* ECHO_RT_RESTRICT a, const float* ECHO_RT_RESTRICT b, float share, float most,
                            std::ptrdiff_t n, float* ECHO_RT_RESTRICT out) {
  for (std::ptrdiff_t x = 0; x < n; ++x) {
    const float sure = a[x] + share * (b[x] - a[x]);
    out[x] = most * std::min(std::max(0.0f, 4.0f * sure - 1.5f), 1.0f);  // in this order NaN is 0
  }
}

ECHO_RT_CLONES void blend(const float* ECHO_RT_RESTRICT weight, const float* colour, std::ptrdiff_t n,
                          uint8_t* ECHO_RT_RESTRICT pixels) {
  const float blue = colour[0], green = colour[1], red = colour[2];
  for (std::ptrdiff_t x = 0; x < n; ++x) {
    const float w = weight[x];
    const float b = pixels[3 * x], g = pixels[3 * x + 1], r = pixels[3 * x + 2];
    pixels[3 * x] = static_cast<uint8_t>(static_cast<int>(b + w * (blue - b) + 0.5f));
    pixels[3 * x + 1] = static_cast<uint8_t>(static_cast<int>(g + w * (green - g) + 0.5f));
    pixels[3 * x + 2] = static_cast<uint8_t>(static_cast<int>(r + w * (red - r) + 0.5f));
  }
}

// Across first, which is once for each row of the grid.
void tint(const Canvas& picture, const uint8_t* labels, const Field& layer, const Tint& how) {
  const std::ptrdiff_t height = layer.height, width = layer.width;
  std::ptrdiff_t top = height, bottom = -1, left = width, right = -1;
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    const uint8_t *row = labels + y * width, *end = row + width;
    const auto label = static_cast<uint8_t>(how.label);
    const uint8_t* first = std::find(row, end, label);
    if (first == end) continue;
    while (*--end != label) continue;
    top = std::min(top, y), bottom = y;
    left = std::min(left, first - row), right = std::max(right, end - row);
  }
  if (bottom < 0) return;
  const Range rows = shown(top, bottom, how.scale, how.y_shift, picture.height);
  const Range columns = shown(left, right, how.scale, how.x_shift, picture.width);
  if (rows.begin >= rows.end || columns.begin >= columns.end) return;
  const Between down(rows, how.scale, how.y_shift, height), across(columns, how.scale, how.x_shift, width);
  const std::ptrdiff_t n = columns.end - columns.begin;
  std::vector<float> above(n), below(n), weight(n);
  const auto read = [&](int y, std::vector<float>& wide) {
    const auto at = [&](std::ptrdiff_t x) {
      return y < 0 || y >= height || x < 0 || x >= width ? 0.0f : layer.data[y * width + x];
    };
    for (std::ptrdiff_t i = 0; i < n; ++i) {
      const float here = at(across.low[i]);
      wide[i] = here + across.share[i] * (at(across.low[i] + 1) - here);
    }
  };
  int held = -3;  // the row of the grid that `above` holds
  for (std::ptrdiff_t y = rows.begin; y < rows.end; ++y) {
    const int low = down.low[y - rows.begin];
    if (low != held) {
      if (low == held + 1)
        std::swap(above, below);
      else
        read(low, above);
      read(low + 1, below);
      held = low;
    }
    weights(above.data(), below.data(), down.share[y - rows.begin], how.share, n, weight.data());
    uint8_t* pixels = picture.data + y * picture.row_bytes + 3 * columns.begin;
    // Most of the part around a wall is cavity, which keeps its colour.
    for (std::ptrdiff_t x = 0, end = 0; x < n; x = end) {
      while (x < n && weight[x] == 0) ++x;
      for (end = x; end < n && weight[end] != 0;) ++end;
      blend(weight.data() + x, how.colour, end - x, pixels + 3 * x);
    }
  }
}

}  // namespace echo_rt
