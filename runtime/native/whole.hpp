// From real numbers to whole ones. C++ leaves open what a cast makes of NaN, or of a number out of range.
#pragma once

namespace echo_rt {

// x without its fraction, within bounds that are exact as reals; `least` where x is no number.
template <typename Whole, typename Real>
constexpr Whole whole(Real x, Whole least, Whole most) {
  return x > static_cast<Real>(least) ? x < static_cast<Real>(most) ? static_cast<Whole>(x) : most : least;
}

}  // namespace echo_rt
