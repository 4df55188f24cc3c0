#include "systole.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace echo_rt {

namespace {

constexpr std::size_t kParts = 5;  // one, kick, ejection, filling, valve
constexpr std::size_t kValve = kParts - 1;
using Heights = std::array<double, kParts>;
using Square = std::array<Heights, kParts>;

// Gauss, the largest pivot first.
inline Heights solve(Square a, Heights b) {
  for (std::size_t k = 0; k < kParts; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < kParts; ++i) {
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    }
    std::swap(a[k], a[pivot]), std::swap(b[k], b[pivot]);
    for (std::size_t i = k + 1; i < kParts; ++i) {
      const double share = a[i][k] / a[k][k];
      for (std::size_t j = k; j < kParts; ++j) a[i][j] -= share * a[k][j];
      b[i] -= share * b[k];
    }
  }
  for (std::size_t k = kParts; k-- > 0;) {
    for (std::size_t j = k + 1; j < kParts; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

// parts: all but the first one, which is one, at n moments each; written to. `pair`: of the slopes.
inline void form(const double* t, std::size_t n, Slopes slopes, std::size_t pair, double* parts) {
  for (std::size_t s = 0; s < kSlopes; ++s) {
    const double begin = slopes.begins[s * slopes.pairs + pair], last = slopes.lasts[s * slopes.pairs + pair];
    // Closing and opening are slopes of one part.
    double* part = &parts[std::min(s, kValve - 1) * n];
    for (std::size_t i = 0; i < n; ++i) {
      const double u = std::min(std::max((t[i] - begin) / last, 0.0), 1.0);
      if (s == 0) part[i] = u * u * (3 - 2 * u) - 1;
      if (s == 1 || s == 2) part[i] = (s == 1 ? -u : u) * (0.7 + u * (1.4 - 1.1 * u));
      if (s == 3) part[i] = -u;
      if (s == 4) part[i] += u;
    }
  }
}

// The products of the parts with each other, so that the heights can be told whatever the parts are.
inline Square products(const double* parts, std::size_t n) {
  Square whole{};
  whole[0][0] = static_cast<double>(n);
  for (std::size_t p = 0; p + 1 < kParts; ++p) {
    const double* one = &parts[p * n];
    for (std::size_t i = 0; i < n; ++i) whole[0][p + 1] += one[i];
    for (std::size_t q = p; q + 1 < kParts; ++q) {
      const double* other = &parts[q * n];
      for (std::size_t i = 0; i < n; ++i) whole[p + 1][q + 1] += one[i] * other[i];
    }
  }
  for (std::size_t p = 0; p < kParts; ++p) {
    for (std::size_t q = 0; q < p; ++q) whole[p][q] = whole[q][p];
    whole[p][p] += 1e-9 * static_cast<double>(n);
  }
  whole[kValve][kValve] += 1;  // the sample that has none
  return whole;
}

// What parts of the best heights, none but the first negative, explain of a curve, squared.
inline double explained(const double* parts, Square square, const double* curve, std::size_t n) {
  Heights right{};
  for (std::size_t i = 0; i < n; ++i) right[0] += curve[i];
  for (std::size_t p = 0; p + 1 < kParts; ++p) {
    for (std::size_t i = 0; i < n; ++i) right[p + 1] += curve[i] * parts[p * n + i];
  }
  Heights heights = solve(square, right);
  for (int time = 0; time < 3; ++time) {
    bool wrong = false;
    for (std::size_t p = 1; p < kParts; ++p) {
      if (!(heights[p] < 0)) continue;
      wrong = true;
      right[p] = 0;
      for (std::size_t q = 0; q < kParts; ++q) square[p][q] = square[q][p] = 0;
      square[p][p] = 1;
    }
    if (!wrong) break;
    heights = solve(square, right);
  }
  double sum = 0;
  for (std::size_t p = 0; p < kParts; ++p) sum += heights[p] * right[p];
  return sum;
}

}  // namespace

void systole_misfits(Curves curves, Slopes slopes, double* misfits) {
  const std::size_t n = curves.samples;
  std::vector<double> parts((kParts - 1) * n), power(curves.count, 0.0);
  for (std::size_t c = 0; c < curves.count; ++c) {
    for (std::size_t i = 0; i < n; ++i) power[c] += curves.y[c * n + i] * curves.y[c * n + i];
  }
  for (std::size_t k = 0; k < slopes.pairs; ++k) {
    form(curves.t, n, slopes, k, parts.data());
    const Square square = products(parts.data(), n);
    for (std::size_t c = 0; c < curves.count; ++c) {
      misfits[k * curves.count + c] = power[c] - explained(parts.data(), square, curves.y + c * n, n);
    }
  }
}

}  // namespace echo_rt
