#include "mask.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "postprocess.hpp"
#include "vectors.hpp"

namespace echo_rt {

namespace {

// Where the pixels of an image lie on the grid along one axis: between `low` and the next one, `share` of the way.
// Beyond the rim the grid's last pixel goes on.
struct Steps {
  std::vector<int> low;
  std::vector<float> share;

  Steps(double scale, double shift, int grid, int image) : low(image), share(image) {
    for (int i = 0; i < image; ++i) {
      const double place = std::min(std::max((i - shift) / scale, 0.0), static_cast<double>(grid - 1));
      const int below = std::min(static_cast<int>(place), std::max(grid - 2, 0));
      low[i] = below;
      share[i] = static_cast<float>(place - below);
    }
  }
};

}  // namespace

// out[x] = the class that is highest at x, `share` of the way from the rows `a` (one for each class, n apart) to the
// rows `b`; of equals the first.
ECHO_RT_CLONES void winners(const float* ECHO_RT_RESTRICT a, const float* ECHO_RT_RESTRICT b, float share, int n,
                            uint8_t* ECHO_RT_RESTRICT out) {
  for (int x = 0; x < n; ++x) {
    const float p0 = a[x] + share * (b[x] - a[x]), p1 = a[x + n] + share * (b[x + n] - a[x + n]);
    const float p2 = a[x + 2 * n] + share * (b[x + 2 * n] - a[x + 2 * n]);
    const float p3 = a[x + 3 * n] + share * (b[x + 3 * n] - a[x + 3 * n]);
    const int32_t low = p1 > p0 ? 1 : 0, high = p3 > p2 ? 3 : 2;
    out[x] = static_cast<uint8_t>(std::max(p2, p3) > std::max(p0, p1) ? high : low);
  }
}

// A row of the grid at the width of the image: each of its pixels between two of the grid.
ECHO_RT_CLONES void spread(const float* ECHO_RT_RESTRICT row, const int* ECHO_RT_RESTRICT low,
                           const float* ECHO_RT_RESTRICT share, int last, int n, float* ECHO_RT_RESTRICT out) {
  for (int i = 0; i < n; ++i) {
    const int next = std::min(low[i] + 1, last);
    out[i] = row[low[i]] + share[i] * (row[next] - row[low[i]]);
  }
}

// Across first, which is once for each row of the grid: the rows of the image between two of them then need no more
// than a mean.
void enlarge(const float* probability, const GridMap& place, uint8_t* out) {
  const int height = place.image_height, width = place.image_width;
  const Steps rows(place.scale, place.y0, place.height, height), columns(place.scale, place.x0, place.width, width);
  std::vector<float> above(static_cast<std::size_t>(kClasses) * width), below(above.size());
  const auto read = [&](int y, std::vector<float>& wide) {
    for (int k = 0; k < kClasses; ++k) {
      const float* row = probability + (static_cast<std::ptrdiff_t>(k) * place.height + y) * place.width;
      float* to = wide.data() + static_cast<std::ptrdiff_t>(k) * width;
      spread(row, columns.low.data(), columns.share.data(), place.width - 1, width, to);
    }
  };
  int at = -2;  // the row of the grid that `above` holds
  for (int y = 0; y < height; ++y) {
    const int low = rows.low[y], next = std::min(low + 1, place.height - 1);
    if (low != at) {
      if (low == at + 1)
        std::swap(above, below);
      else
        read(low, above);
      read(next, below);
      at = low;
    }
    winners(above.data(), below.data(), rows.share[y], width, out + static_cast<std::ptrdiff_t>(y) * width);
  }
}

}  // namespace echo_rt
