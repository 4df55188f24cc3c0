#include "preprocess.hpp"

#include <algorithm>

#include "arithmetic.hpp"
#include "vectors.hpp"

namespace echo_rt {

Coverage::Coverage(double scale, double shift, int grid, int image) {
  for (int g = 0; g < grid; ++g) {
    const Span covered = span(g, scale, shift, image);
    first.push_back(covered.first);
    start.push_back(static_cast<int>(weights.size()));
    for (int i = 0; i < covered.count; ++i) weights.push_back(covered.weight(i));
  }
  start.push_back(static_cast<int>(weights.size()));
}

Plan::Plan(const GridMap& place, float mean, float std)
    : place(place),
      mean(mean),
      std(std),
      rows(place.scale, place.y0, place.height, place.image_height),
      columns(place.scale, place.x0, place.width, place.image_width) {}

// sum[x] += weight * luma[x] for one row of the image.
ECHO_RT_CLONES void add_grey(const uint8_t* row, int width, float weight, float* sum) {
  for (int x = 0; x < width; ++x) sum[x] += weight * static_cast<float>(row[x]);
}

ECHO_RT_CLONES void add_bgr(const uint8_t* row, int width, float weight, float* sum) {
  const float b = kBlue * weight, g = kGreen * weight, r = kRed * weight;
  for (int x = 0; x < width; ++x) {
    sum[x] += b * static_cast<float>(row[3 * x]) + g * static_cast<float>(row[3 * x + 1]) +
              r * static_cast<float>(row[3 * x + 2]);
  }
}

ECHO_RT_CLONES void reduce_columns(const float* sum, const Coverage& columns, float gain, float offset, float* out) {
  const int *first = columns.first.data(), *start = columns.start.data();
  const float* weights = columns.weights.data();
  for (int g = 0, grid = static_cast<int>(columns.first.size()); g < grid; ++g) {
    const float* w = weights + start[g];
    const float* s = sum + first[g];
    const int n = start[g + 1] - start[g];
    float total = 0;
    for (int i = 0; i < n; ++i) total += w[i] * s[i];
    out[g] = total * gain + offset;
  }
}

// Each image row is turned to luma once and added to the grid rows that cover it.
void preprocess(const Plan& plan, const uint8_t* image, std::ptrdiff_t row_bytes, int channels, float* out) {
  const Coverage& rows = plan.rows;
  const int width = plan.place.image_width;
  const float gain = 1.0f / plan.std, offset = -plan.mean / plan.std;
  std::vector<float> sum(static_cast<std::size_t>(width));
  for (int g = 0; g < plan.place.height; ++g) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    const float* w = rows.weights.data() + rows.start[g];
    for (int i = 0, n = rows.count(g); i < n; ++i) {
      if (w[i] == 0) continue;
      const uint8_t* row = image + (rows.first[g] + i) * row_bytes;
      if (channels == 1)
        add_grey(row, width, w[i], sum.data());
      else
        add_bgr(row, width, w[i], sum.data());
    }
    reduce_columns(sum.data(), plan.columns, gain, offset, out + static_cast<std::ptrdiff_t>(g) * plan.place.width);
  }
}

}  // namespace echo_rt
