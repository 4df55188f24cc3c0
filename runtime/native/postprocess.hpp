// From the network's logits to probabilities, labels and tallies. The definition is in
// echo_rt/reference/postprocess.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace echo_rt {

constexpr int kClasses = 4;

// For each class: pixels that it won; sum of its probability; sum of it over the pixels that it won.
struct Tally {
  double won[kClasses] = {}, sum[kClasses] = {}, sum_won[kClasses] = {};
};

// logits, probability: kClasses x pixels. labels: pixels. The last two are written to.
Tally postprocess(const float* logits, std::ptrdiff_t pixels, float* probability, uint8_t* labels);

}  // namespace echo_rt
