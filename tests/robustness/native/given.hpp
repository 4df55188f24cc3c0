// What a harness makes of the bytes that libFuzzer gives: sizes, numbers that may be none, and arrays of just their
// size, so that AddressSanitizer sees a step outside.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "points.hpp"

namespace echo_rt::fuzz {

class Given {
 public:
  Given(const uint8_t* data, std::size_t size) : bytes_(data, size), noise_(whole(0, 1 << 20)) {}

  int whole(int least, int most) { return bytes_.ConsumeIntegralInRange(least, most); }
  int any_whole() { return bytes_.ConsumeBool() ? whole(-20, 300) : bytes_.ConsumeIntegral<int32_t>(); }
  bool coin() { return bytes_.ConsumeBool(); }

  // Now and then no number, or one far out.
  double real() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    static const double odd[] = {std::nan(""), kInfinity, -kInfinity, 0,    -1,    1,   1e300,  -1e300,
                                 5e-324,       1e30,      -1e30,      1e10, -3e10, 0.5, 0x1p31, -0x1p63};
    const int kind = whole(0, 63);
    return kind < 16 ? odd[kind]
                     : bytes_.ConsumeFloatingPointInRange<double>(kind < 40 ? -2 : -300, kind < 40 ? 2 : 300);
  }
  double finite() {
    const double number = real();
    return std::isfinite(number) ? number : 0;
  }
  Point point() { return {real(), real()}; }

  // In runs of some length, as what is seen in pictures has a size; noise where the bytes are used up.
  std::vector<uint8_t> levels(std::size_t count) {
    std::vector<uint8_t> found(count);
    const auto run = static_cast<std::size_t>(whole(1, 12));
    for (std::size_t i = 0; i < count; ++i) {
      if (i % run)
        found[i] = found[i - 1];
      else
        found[i] = bytes_.remaining_bytes() ? bytes_.ConsumeIntegral<uint8_t>() : static_cast<uint8_t>(noise_());
    }
    return found;
  }
  // One byte each: mostly from -0.1 to 1.1, as probabilities are.
  std::vector<float> layer(std::size_t count) {
    std::vector<float> found;
    found.reserve(count);
    for (const uint8_t level : levels(count)) found.push_back(probability(level));
    return found;
  }
  std::vector<double> reals(std::size_t count) {
    std::vector<double> found;
    found.reserve(count);
    for (std::size_t i = 0; i < count; ++i) found.push_back(coin() ? whole(-9, 60) : real());
    return found;
  }
  std::vector<Point> points(std::size_t count) {
    std::vector<Point> found;
    found.reserve(count);
    const bool plain = coin();
    for (std::size_t i = 0; i < count; ++i) {
      found.push_back(plain ? Point{whole(-9, 60) / 1.0, whole(-9, 60) / 1.0} : point());
    }
    return found;
  }

 private:
  static float probability(uint8_t level) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    switch (level) {
      case 251:
        return std::nanf("");
      case 252:
        return kInfinity;
      case 253:
        return -kInfinity;
      case 254:
        return 3e38f;
      case 250:
        return 1e-40f;
      default:
        return static_cast<float>(level) / 200 - 0.1f;
    }
  }

  FuzzedDataProvider bytes_;
  std::minstd_rand noise_;
};

// Ends the program where what must hold does not.
inline void hold(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

struct Harness {
  const char* name;
  void (*run)(Given& given);
};

extern const std::vector<Harness> kPictures, kMeasures;

}  // namespace echo_rt::fuzz
