// The fused preprocess: uint8 image -> luma -> area-weighted letterbox -> normalised float32. The definition is
// echo_rt/engine/preprocess.py; here each image row is turned to luma once and added to the grid rows that cover it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arithmetic.hpp"

// On x86 one binary holds a plain version of the hot loops and one for AVX2 with FMA; the loader picks.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define ECHO_RT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ECHO_RT_CLONES
#endif

namespace echo_rt {

// How much each image pixel counts in each grid pixel along one axis: grid pixel g takes `weights[start[g] .. start[g + 1])`
// of the image pixels from `first[g]` on.
struct Coverage {
  std::vector<int> first, start;
  std::vector<float> weights;

  Coverage(double scale, double shift, int grid, int image) {
    for (int g = 0; g < grid; ++g) {
      const Span covered = span(g, scale, shift, image);
      first.push_back(covered.first);
      start.push_back(static_cast<int>(weights.size()));
      for (int i = 0; i < covered.count; ++i) weights.push_back(covered.weight(i));
    }
    start.push_back(static_cast<int>(weights.size()));
  }
  int count(int g) const { return start[g + 1] - start[g]; }
};

// sum[x] += weight * luma[x] for one row of the image. `pixel` is the step in bytes from a pixel to the next one.
ECHO_RT_CLONES inline void add_grey(const uint8_t* row, int width, float weight, float* sum) {
  for (int x = 0; x < width; ++x) sum[x] += weight * static_cast<float>(row[x]);
}

ECHO_RT_CLONES inline void add_bgr(const uint8_t* row, int width, float weight, float* sum) {
  const float b = kBlue * weight, g = kGreen * weight, r = kRed * weight;
  for (int x = 0; x < width; ++x) {
    sum[x] += b * static_cast<float>(row[3 * x]) + g * static_cast<float>(row[3 * x + 1]) + r * static_cast<float>(row[3 * x + 2]);
  }
}

ECHO_RT_CLONES inline void reduce_columns(const float* sum, const int* first, const int* start, const float* weights, int grid,
                                          float gain, float offset, float* out) {
  for (int g = 0; g < grid; ++g) {
    const float* w = weights + start[g];
    const float* s = sum + first[g];
    const int n = start[g + 1] - start[g];
    float total = 0;
    for (int i = 0; i < n; ++i) total += w[i] * s[i];
    out[g] = total * gain + offset;
  }
}

// image: rows of `row_bytes` bytes, `channels` (1 or 3) interleaved. out: rows.grid x columns.grid. `sum` holds one image row.
inline void preprocess(const uint8_t* image, std::ptrdiff_t row_bytes, int image_width, int channels, const Coverage& rows,
                       const Coverage& columns, float mean, float std, std::vector<float>& sum, float* out) {
  const int grid_rows = static_cast<int>(rows.first.size()), grid_columns = static_cast<int>(columns.first.size());
  const float gain = 1.0f / std, offset = -mean / std;
  sum.resize(image_width);
  for (int g = 0; g < grid_rows; ++g) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    const float* w = rows.weights.data() + rows.start[g];
    for (int i = 0, n = rows.count(g); i < n; ++i) {
      if (w[i] == 0) continue;
      const uint8_t* row = image + (rows.first[g] + i) * row_bytes;
      if (channels == 1) add_grey(row, image_width, w[i], sum.data());
      else add_bgr(row, image_width, w[i], sum.data());
    }
    reduce_columns(sum.data(), columns.first.data(), columns.start.data(), columns.weights.data(), grid_columns, gain, offset,
                   out + static_cast<std::ptrdiff_t>(g) * grid_columns);
  }
}

}  // namespace echo_rt
