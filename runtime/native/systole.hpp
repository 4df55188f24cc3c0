// How well systoles of a certain form fit, at many pairs of moments. The definitions are in
// echo_rt/reference/systole.py.
#pragma once

#include <cstddef>

namespace echo_rt {

constexpr std::size_t kSlopes = 5;  // of the kick, the ejection, the filling, the valve's closing and its opening

struct Curves {
  const double* t;  // samples
  const double* y;  // count x samples
  std::size_t samples, count;
};

// When the slopes begin and how long they last: kSlopes x pairs.
struct Slopes {
  const double *begins, *lasts;
  std::size_t pairs;
};

// misfits: pairs x curves, written to.
void systole_misfits(Curves curves, Slopes slopes, double* misfits);

}  // namespace echo_rt
