// How well a systole of a certain form fits, at many pairs of moments. The definitions are in echo_rt/cardiac/kernels, under the same names.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace echo_rt {

constexpr std::size_t kParts = 5;  // one, kick, ejection, filling, valve
constexpr std::size_t kSlopes = 5;  // of the kick, the ejection, the filling, the valve's closing and its opening
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

// t: n. y: curves x n. begins, lasts: 5 x pairs. misfits: pairs x curves, written to.
inline void systole_misfits(const double* t, std::size_t n, const double* y, std::size_t curves, const double* begins, const double* lasts,
                            std::size_t pairs, double* misfits) {
  constexpr std::size_t kValve = kParts - 1;
  std::vector<double> parts((kParts - 1) * n);
  std::vector<double> power(curves, 0.0);
  for (std::size_t c = 0; c < curves; ++c) {
    for (std::size_t i = 0; i < n; ++i) power[c] += y[c * n + i] * y[c * n + i];
  }
  for (std::size_t k = 0; k < pairs; ++k) {
    for (std::size_t s = 0; s < kSlopes; ++s) {
      const double begin = begins[s * pairs + k], last = lasts[s * pairs + k];
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
    for (std::size_t c = 0; c < curves; ++c) {
      const double* curve = y + c * n;
      Heights right{};
      for (std::size_t i = 0; i < n; ++i) right[0] += curve[i];
      for (std::size_t p = 0; p + 1 < kParts; ++p) {
        for (std::size_t i = 0; i < n; ++i) right[p + 1] += curve[i] * parts[p * n + i];
      }
      Square square = whole;
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
      double explained = 0;
      for (std::size_t p = 0; p < kParts; ++p) explained += heights[p] * right[p];
      misfits[k * curves + c] = power[c] - explained;
    }
  }
}

}  // namespace echo_rt
