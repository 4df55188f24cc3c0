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
      const double place = std::min(std::max(0.0, (i - shift) / scale), static_cast<double>(grid - 1));
      const int below = std::min(static_cast<int>(place), std::max(grid - 2, 0));
      low[i] = below;
      share[i] = static_cast<float>(place - below);
    }
  }
};

// The pixels of a row, from the first to past the last one, that may be something else than background.
struct Doubt {
  int begin, end;
};

Doubt span_of(const std::vector<uint8_t>& doubt) {
  const auto begin = std::find(doubt.begin(), doubt.end(), 1);
  if (begin == doubt.end()) return {static_cast<int>(doubt.size()), 0};
  const auto last = std::find(doubt.rbegin(), doubt.rend(), 1);
  return {static_cast<int>(begin - doubt.begin()), static_cast<int>(doubt.rend() - last)};
}

Doubt both(Doubt a, Doubt b) { return {std::min(a.begin, b.begin), std::max(a.end, b.end)}; }

}  // namespace

// out[x] = the class that is highest at x, from `first` to before `last`, `share` of the way from the rows `a` (one for
// each class, n apart) to the rows `b`; of equals the first.
ECHO_RT_CLONES void winners(const float* ECHO_RT_RESTRICT a, const float* ECHO_RT_RESTRICT b, float share, int n,
                            int first, int last, uint8_t* ECHO_RT_RESTRICT out) {
  for (int x = first; x < last; ++x) {
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

// Where the background is that much above all else in the grid's pixels around, it is so between them too, whatever
// the rounding.
constexpr float kClearly = 1e-4f;

// Of n pixels of the grid: 1 where that is not so.
ECHO_RT_CLONES void doubtful(const float* ECHO_RT_RESTRICT row, std::ptrdiff_t layer, int n,
                             uint8_t* ECHO_RT_RESTRICT out) {
  for (int x = 0; x < n; ++x) {
    const float most = std::max(std::max(row[x + layer], row[x + 2 * layer]), row[x + 3 * layer]);
    out[x] = !(row[x] > most + kClearly);
  }
}

// Across first, which is once for each row of the grid: the rows of the image between two of them then need no more
// than a mean. And only where something else than background may be.
void enlarge(const float* probability, const GridMap& place, uint8_t* out) {
  const int height = place.image_height, width = place.image_width;
  const std::ptrdiff_t layer = static_cast<std::ptrdiff_t>(place.height) * place.width;
  const auto row_of = [&](int y) { return probability + static_cast<std::ptrdiff_t>(y) * place.width; };
  std::vector<Doubt> doubts;
  Doubt any{place.width, 0};
  std::vector<uint8_t> doubt(place.width);
  for (int y = 0; y < place.height; ++y) {
    doubtful(row_of(y), layer, place.width, doubt.data());
    doubts.push_back(span_of(doubt));
    any = both(any, doubts.back());
  }
  const Steps rows(place.scale, place.y0, place.height, height), columns(place.scale, place.x0, place.width, width);
  // A pixel of the image lies between one of the grid and the next.
  const auto image = [&](Doubt on_grid) {
    const auto begin = columns.low.begin(), end = columns.low.end();
    const auto first = std::lower_bound(begin, end, on_grid.begin - 1);
    const auto last = std::lower_bound(first, end, on_grid.end);
    return Doubt{static_cast<int>(first - begin), static_cast<int>(last - begin)};
  };
  const Doubt all = image(any);
  std::vector<float> above(static_cast<std::size_t>(kClasses) * width), below(above.size());
  const auto read = [&](int y, std::vector<float>& wide) {
    for (int k = 0; k < kClasses; ++k) {
      spread(row_of(y) + k * layer, columns.low.data() + all.begin, columns.share.data() + all.begin, place.width - 1,
             all.end - all.begin, wide.data() + static_cast<std::ptrdiff_t>(k) * width + all.begin);
    }
  };
  int at = -2;  // the row of the grid that `above` holds
  for (int y = 0; y < height; ++y) {
    const int low = rows.low[y], next = std::min(low + 1, place.height - 1);
    const Doubt here = image(both(doubts[low], doubts[next]));
    uint8_t* row = out + static_cast<std::ptrdiff_t>(y) * width;
    std::fill(row, row + here.begin, uint8_t{0}), std::fill(row + here.end, row + width, uint8_t{0});
    if (here.begin == here.end) continue;
    if (low != at) {
      if (low == at + 1)
        std::swap(above, below);
      else
        read(low, above);
      read(next, below);
      at = low;
    }
    winners(above.data(), below.data(), rows.share[y], width, here.begin, here.end, row);
  }
}

}  // namespace echo_rt
