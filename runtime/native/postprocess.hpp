// From the network's logits to probabilities, labels and tallies, and labels at image size. The definitions are
// echo_rt/engine/postprocess.py and echo_rt/segmentation.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "preprocess.hpp"

#define ECHO_RT_RESTRICT __restrict

namespace echo_rt {

// exp(x) for x <= 0, within 2 units in the last place. Unlike the library's it has no branch, so that a compiler makes vectors of it:
// 2^n by the exponent's bits, and e^r, |r| <= ln(2) / 2, by the polynomial of Cephes' expf (Moshier, 1992).
inline float exp_negative(float x) {
  x = std::max(x, -87.0f);
  const float n = std::nearbyint(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

constexpr int kClasses = 4;
constexpr int kBlock = 1024;

// For each class: pixels that it won; sum of its probability; sum of it over the pixels that it won.
struct Tally {
  double won[kClasses] = {}, sum[kClasses] = {}, sum_won[kClasses] = {};
};

// A block small enough to stay in the first cache. logits and probability: one plane of n values for each class.
ECHO_RT_CLONES inline void softmax_block(const float* ECHO_RT_RESTRICT a, const float* ECHO_RT_RESTRICT b, const float* ECHO_RT_RESTRICT c,
                                         const float* ECHO_RT_RESTRICT d, int n, float* ECHO_RT_RESTRICT pa, float* ECHO_RT_RESTRICT pb,
                                         float* ECHO_RT_RESTRICT pc, float* ECHO_RT_RESTRICT pd, uint8_t* ECHO_RT_RESTRICT labels) {
  for (int i = 0; i < n; ++i) {
    const float highest = std::max(std::max(a[i], b[i]), std::max(c[i], d[i]));
    const float ea = exp_negative(a[i] - highest), eb = exp_negative(b[i] - highest), ec = exp_negative(c[i] - highest),
                ed = exp_negative(d[i] - highest);
    const float share = 1.0f / (ea + eb + ec + ed);
    pa[i] = ea * share;
    pb[i] = eb * share;
    pc[i] = ec * share;
    pd[i] = ed * share;
    // Of equals the last one, as in the definition.
    const int32_t low = b[i] == highest ? 1 : 0, high = d[i] == highest ? 3 : 2;
    labels[i] = static_cast<uint8_t>(c[i] == highest || d[i] == highest ? high : low);
  }
}

ECHO_RT_CLONES inline void tally_block(const float* probability, const uint8_t* labels, int n, uint8_t label, float* sums) {
  float won = 0, sum = 0, sum_won = 0;
  for (int i = 0; i < n; ++i) {
    const float is = labels[i] == label ? 1.0f : 0.0f;
    won += is;
    sum += probability[i];
    sum_won += is * probability[i];
  }
  sums[0] = won;
  sums[1] = sum;
  sums[2] = sum_won;
}

// logits, probability: kClasses x pixels. labels: pixels.
inline Tally postprocess(const float* logits, std::ptrdiff_t pixels, float* probability, uint8_t* labels) {
  Tally tally;
  for (std::ptrdiff_t start = 0; start < pixels; start += kBlock) {
    const int n = static_cast<int>(std::min<std::ptrdiff_t>(kBlock, pixels - start));
    const float* in[kClasses];
    float* out[kClasses];
    for (int k = 0; k < kClasses; ++k) {
      in[k] = logits + k * pixels + start;
      out[k] = probability + k * pixels + start;
    }
    softmax_block(in[0], in[1], in[2], in[3], n, out[0], out[1], out[2], out[3], labels + start);
    for (int k = 0; k < kClasses; ++k) {
      float sums[3];  // of a block: so few that single precision is exact enough, and so short that vectors do it
      tally_block(out[k], labels + start, n, static_cast<uint8_t>(k), sums);
      tally.won[k] += sums[0];
      tally.sum[k] += sums[1];
      tally.sum_won[k] += sums[2];
    }
  }
  return tally;
}

// Where the pixels of an image lie on the grid along one axis: between `low` and the next one, `share` of the way. Beyond the rim the
// grid's last pixel goes on.
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

// out[x] = the class that is highest at x, `share` of the way from the rows `a` (one for each class, n apart) to the rows `b`; of equals
// the first.
ECHO_RT_CLONES inline void winners(const float* ECHO_RT_RESTRICT a, const float* ECHO_RT_RESTRICT b, float share, int n,
                                   uint8_t* ECHO_RT_RESTRICT out) {
  for (int x = 0; x < n; ++x) {
    const float p0 = a[x] + share * (b[x] - a[x]), p1 = a[x + n] + share * (b[x + n] - a[x + n]);
    const float p2 = a[x + 2 * n] + share * (b[x + 2 * n] - a[x + 2 * n]), p3 = a[x + 3 * n] + share * (b[x + 3 * n] - a[x + 3 * n]);
    const int32_t low = p1 > p0 ? 1 : 0, high = p3 > p2 ? 3 : 2;
    out[x] = static_cast<uint8_t>(std::max(p2, p3) > std::max(p0, p1) ? high : low);
  }
}

// A row of the grid at the width of the image: each of its pixels between two of the grid.
ECHO_RT_CLONES inline void spread(const float* ECHO_RT_RESTRICT row, const int* ECHO_RT_RESTRICT low, const float* ECHO_RT_RESTRICT share,
                                  int last, int n, float* ECHO_RT_RESTRICT out) {
  for (int i = 0; i < n; ++i) {
    const int next = std::min(low[i] + 1, last);
    out[i] = row[low[i]] + share[i] * (row[next] - row[low[i]]);
  }
}

// Labels at image size, height x width, from the probabilities interpolated between the pixels of the grid. Across first, which is once for
// each row of the grid: the rows of the image between two of them then need no more than a mean.
inline void enlarge(const float* probability, int grid_height, int grid_width, const Steps& rows, const Steps& columns, uint8_t* out) {
  const int height = static_cast<int>(rows.low.size()), width = static_cast<int>(columns.low.size());
  std::vector<float> above(static_cast<std::size_t>(kClasses) * width), below(above.size());
  const auto read = [&](int y, std::vector<float>& wide) {
    for (int k = 0; k < kClasses; ++k) {
      const float* row = probability + (static_cast<std::ptrdiff_t>(k) * grid_height + y) * grid_width;
      spread(row, columns.low.data(), columns.share.data(), grid_width - 1, width, wide.data() + static_cast<std::ptrdiff_t>(k) * width);
    }
  };
  int at = -2;  // the row of the grid that `above` holds
  for (int y = 0; y < height; ++y) {
    const int low = rows.low[y], next = std::min(low + 1, grid_height - 1);
    if (low != at) {
      if (low == at + 1) std::swap(above, below);
      else read(low, above);
      read(next, below);
      at = low;
    }
    winners(above.data(), below.data(), rows.share[y], width, out + static_cast<std::ptrdiff_t>(y) * width);
  }
}

}  // namespace echo_rt
