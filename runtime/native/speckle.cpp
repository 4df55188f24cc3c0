#include "speckle.hpp"

#include <algorithm>
#include <vector>

#include "vectors.hpp"

namespace echo_rt {

ECHO_RT_CLONES void add_bytes(const uint8_t* bytes, std::size_t n, uint16_t* sums) {
  for (std::size_t i = 0; i < n; ++i) sums[i] = static_cast<uint16_t>(sums[i] + bytes[i]);
}

// The weights 1, 4, 6, 4, 1 over five rows.
ECHO_RT_CLONES void five(const float* const* rows, std::size_t n, float* to) {
  const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3], *e = rows[4];
  for (std::size_t i = 0; i < n; ++i) to[i] = 0.0625f * (a[i] + e[i]) + 0.25f * (b[i] + d[i]) + 0.375f * c[i];
}

namespace {

// Smooths rows x columns along both sides; beyond its edge a picture goes on as at it.
void smooth(const std::vector<float>& raw, int rows, int columns, float* to) {
  const auto wide = static_cast<std::size_t>(columns);
  const auto row = [&](int y) { return raw.data() + static_cast<std::size_t>(std::clamp(y, 0, rows - 1)) * wide; };
  std::vector<float> line(wide + 4);
  const float* start = line.data();
  const float* const shifted[] = {start, start + 1, start + 2, start + 3, start + 4};
  for (int y = 0; y < rows; ++y) {
    const float* const near[] = {row(y - 2), row(y - 1), row(y), row(y + 1), row(y + 2)};
    five(near, wide, line.data() + 2);
    line[0] = line[1] = line[2];
    line[wide + 2] = line[wide + 3] = line[wide + 1];
    five(shifted, wide, to + static_cast<std::size_t>(y) * wide);
  }
}

}  // namespace

void cells(const uint8_t* first, std::ptrdiff_t row_bytes, std::ptrdiff_t pixel_bytes, Cells grid, float* means) {
  const auto [rows, columns, cell, stride] = grid;
  const int picked = (cell - 1) / stride + 1;
  const float share = 1.0f / static_cast<float>(picked * picked);
  const auto wide = static_cast<std::size_t>(columns), pixels = wide * static_cast<std::size_t>(cell);
  // Whole rows of bytes are added at once, those between the pixels too, where they stand close together.
  const bool close = pixel_bytes >= 1 && pixel_bytes <= 4;
  const std::size_t apart = close ? static_cast<std::size_t>(pixel_bytes) : 1, bytes = (pixels - 1) * apart + 1;
  std::vector<uint16_t> sums(bytes);
  std::vector<uint8_t> gathered(close ? 0 : pixels);
  std::vector<float> raw(static_cast<std::size_t>(rows) * wide);
  for (int y = 0; y < rows; ++y) {
    std::fill(sums.begin(), sums.end(), uint16_t{0});
    for (int i = 0; i < picked; ++i) {
      const std::ptrdiff_t down = static_cast<std::ptrdiff_t>(y) * cell + static_cast<std::ptrdiff_t>(i) * stride;
      const uint8_t* row = first + down * row_bytes;
      for (std::size_t x = 0; x < gathered.size(); ++x) gathered[x] = row[static_cast<std::ptrdiff_t>(x) * pixel_bytes];
      add_bytes(close ? row : gathered.data(), bytes, sums.data());
    }
    float* mean = raw.data() + static_cast<std::size_t>(y) * wide;
    const std::size_t to_cell = apart * static_cast<std::size_t>(cell);
    const std::size_t to_next = apart * static_cast<std::size_t>(stride);
    for (std::size_t x = 0; x < wide; ++x) {
      const uint16_t* sum = sums.data() + x * to_cell;
      uint32_t whole = 0;
      for (std::size_t j = 0, end = to_next * static_cast<std::size_t>(picked); j < end; j += to_next) whole += sum[j];
      mean[x] = static_cast<float>(whole) * share;
    }
  }
  smooth(raw, rows, columns, means);
}

namespace {

struct Level {
  double value;
  Point slope;
  bool inside;
};

// Bilinear, and the slope of the same surface.
inline Level read(const Patch& patch, Point p) {
  const double x = p.x + patch.zero.x, y = p.y + patch.zero.y;
  const Field& field = patch.field;
  const double right = static_cast<double>(field.width - 1), bottom = static_cast<double>(field.height - 1);
  // Written so that NaN is outside too.
  if (!(x >= 0 && x < right && y >= 0 && y < bottom)) return {0, {0, 0}, false};
  const auto column = static_cast<std::ptrdiff_t>(x), row = static_cast<std::ptrdiff_t>(y);
  const double fx = x - static_cast<double>(column), fy = y - static_cast<double>(row);
  const float* at = field.data + row * field.width + column;
  const double a = at[0], b = at[1], c = at[field.width], d = at[field.width + 1];
  return {(a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy,
          {(b - a) * (1 - fy) + (d - c) * fy, (c - a) * (1 - fx) + (d - b) * fx},
          true};
}

}  // namespace

Motion follow_speckle(const Patch& before, const Patch& after, SpeckleLines lines, int rounds) {
  const auto [starts, normals, count, to_cells, unit, samples] = lines;
  const auto on_cells = [to = to_cells](Point p) { return Point{p.x * to.x, p.y * to.y}; };
  const auto size = static_cast<std::size_t>(samples);
  // What is read of the later picture is the same in every round.
  std::vector<Level> later(count * size);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < size; ++k) {
      later[i * size + k] = read(after, on_cells(starts[i] + static_cast<double>(k) * unit * normals[i]));
    }
  }
  const double middle = 0.5 * unit * (samples - 1), most = 1.2 * unit;
  double shift = 0, stretch = 0, slide = 0, certain = 0;
  for (int round = 0; round < rounds; ++round) {
    // The matrix a b c, b d e, c e f and the right side of the least squares.
    double a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, right[3] = {0, 0, 0};
    for (std::size_t i = 0; i < count; ++i) {
      const Point across = normals[i], along{-across.y, across.x};
      for (std::size_t k = 0; k < size; ++k) {
        const Level& there = later[i * size + k];
        if (!there.inside) continue;
        const double depth = static_cast<double>(k) * unit, outwards = depth - middle;
        const Point earlier = starts[i] + (depth - shift - stretch * outwards) * across - slide * along;
        const Level here = read(before, on_cells(earlier));
        if (!here.inside) continue;
        const Point slope = on_cells(0.5 * (there.slope + here.slope));
        const double x = dot(slope, across), y = x * outwards, z = dot(slope, along);
        const double differs = here.value - there.value;
        a += x * x, b += x * y, c += x * z, d += y * y, e += y * z, f += z * z;
        right[0] += x * differs, right[1] += y * differs, right[2] += z * differs;
      }
    }
    // The inverse by cofactors.
    const double minor = a * f - c * c, p = d * f - e * e, q = c * e - b * f;
    const double r = b * e - c * d, s = b * c - a * e, t = a * d - b * b;
    const double whole = a * p + b * q + c * r;
    if (!(whole > 1e-9 * a * d * f)) {
      certain = 0;
      continue;
    }
    const auto step = [&](double u, double v, double w, double limit) {
      return std::clamp((u * right[0] + v * right[1] + w * right[2]) / whole, -limit, limit);
    };
    shift += step(p, q, r, most), stretch += step(q, minor, s, 0.3), slide += step(r, s, t, most);
    certain = minor > 0 ? whole / minor : 0;
  }
  return {shift, stretch, slide, certain};
}

}  // namespace echo_rt
