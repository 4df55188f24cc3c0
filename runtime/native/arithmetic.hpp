// What is done to one pixel, for the processor and for the GPU alike: a host compiler and nvcc both read this file. The
// definitions are in echo_rt/reference/preprocess.py and echo_rt/reference/postprocess.py.
#pragma once

#include <cmath>

#ifdef __CUDACC__
#define ECHO_RT_PIXEL __host__ __device__ __forceinline__
#else
#define ECHO_RT_PIXEL inline
#endif

namespace echo_rt {

// ITU-R BT.601 weights.
constexpr float kBlue = 0.114f, kGreen = 0.587f, kRed = 0.299f;

ECHO_RT_PIXEL float luma(float blue, float green, float red) { return kBlue * blue + kGreen * green + kRed * red; }

// The image pixels that one grid pixel covers along one axis: `count` of them from `first` on. All but the two at the
// ends are covered whole, so that three weights say everything. What lies outside the image is not among them, and so
// counts as black.
struct Span {
  int first, count;
  float head, body, tail;

  ECHO_RT_PIXEL float weight(int i) const { return i == 0 ? head : i + 1 == count ? tail : body; }
};

// Grid position g lies at scale * g + shift in the image, which has `image` pixels along this axis.
ECHO_RT_PIXEL Span span(int g, double scale, double shift, int image) {
  const double width = scale > 1.0 ? scale : 1.0;
  const double centre = scale * g + shift, low = centre - width / 2, high = centre + width / 2;
  const double from = floor(low + 0.5), to = ceil(high + 0.5);
  // Written so that NaN becomes no index.
  const int first = from > 0 ? from < image ? static_cast<int>(from) : image : 0;
  const int last = to > first ? to < image ? static_cast<int>(to) : image : first;
  const auto covered = [=](int i) {
    const double left = i - 0.5 > low ? i - 0.5 : low, right = i + 0.5 < high ? i + 0.5 : high;
    return static_cast<float>((right > left ? right - left : 0.0) / width);
  };
  return {first, last - first, covered(first), static_cast<float>(1.0 / width), covered(last - 1)};
}

// Softmax over N classes. Returns the winner; among equals it is the last.
template <int N>
ECHO_RT_PIXEL int softmax(const float (&logits)[N], float (&probability)[N]) {
  int label = 0;
  for (int c = 1; c < N; ++c) {
    if (logits[c] >= logits[label]) label = c;
  }
  float total = 0;
  for (int c = 0; c < N; ++c) total += probability[c] = expf(logits[c] - logits[label]);
  for (int c = 0; c < N; ++c) probability[c] /= total;
  return label;
}

// Probabilities as whole numbers: a sum of them is the same in whatever order the threads of a GPU add them.
constexpr float kFixedPoint = 65536.0f;

ECHO_RT_PIXEL unsigned fixed_point(float probability) {
  return static_cast<unsigned>(probability * kFixedPoint + 0.5f);
}

}  // namespace echo_rt
