#include "postprocess.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vectors.hpp"

namespace echo_rt {

// exp(x) for x <= 0, within 2 units in the last place. Unlike the library's it has no branch, so that a compiler makes
// vectors of it: 2^n by the exponent's bits, and e^r, |r| <= ln(2) / 2, by the polynomial of Cephes' expf (Moshier,
// 1992).
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
  // The last bits of 1.5 * 2^23 + m are those of m. A cast would be undefined for NaN, and for the x > 0 that there is
  // beside NaN; the sum, by which all is divided, is NaN then.
  const float last = n + (12582912.0f + 127.0f);
  uint32_t bits;
  std::memcpy(&bits, &last, sizeof bits);
  bits <<= 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

// A block small enough to stay in the first cache. logits and probability: a plane for each class, `apart` from the
// next one, of which n values are taken.
ECHO_RT_CLONES void softmax_block(const float* ECHO_RT_RESTRICT logits, std::ptrdiff_t apart, int n,
                                  float* ECHO_RT_RESTRICT probability, uint8_t* ECHO_RT_RESTRICT labels) {
  const float *a = logits, *b = a + apart, *c = b + apart, *d = c + apart;
  float *ECHO_RT_RESTRICT pa = probability, *ECHO_RT_RESTRICT pb = probability + apart;
  float *ECHO_RT_RESTRICT pc = probability + 2 * apart, *ECHO_RT_RESTRICT pd = probability + 3 * apart;
  for (int i = 0; i < n; ++i) {
    const float highest = std::max(std::max(a[i], b[i]), std::max(c[i], d[i]));
    const float ea = exp_negative(a[i] - highest), eb = exp_negative(b[i] - highest);
    const float ec = exp_negative(c[i] - highest), ed = exp_negative(d[i] - highest);
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

ECHO_RT_CLONES void tally_block(const float* probability, const uint8_t* labels, int n, uint8_t label, float* sums) {
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

Tally postprocess(const float* logits, std::ptrdiff_t pixels, float* probability, uint8_t* labels) {
  constexpr std::ptrdiff_t kBlock = 1024;
  Tally tally;
  for (std::ptrdiff_t start = 0; start < pixels; start += kBlock) {
    const int n = static_cast<int>(std::min(kBlock, pixels - start));
    softmax_block(logits + start, pixels, n, probability + start, labels + start);
    for (int k = 0; k < kClasses; ++k) {
      float sums[3];  // of a block: so few that single precision is exact enough, and so short that vectors do it
      tally_block(probability + k * pixels + start, labels + start, n, static_cast<uint8_t>(k), sums);
      tally.won[k] += sums[0];
      tally.sum[k] += sums[1];
      tally.sum_won[k] += sums[2];
    }
  }
  return tally;
}

}  // namespace echo_rt
