// libFuzzer on one of the C++ kernels, which ECHO_RT_KERNEL names; without a name this lists them. `make sanitize` runs
// each.
#include <cstring>

#include "given.hpp"

namespace echo_rt::fuzz {

namespace {

const Harness* chosen = nullptr;

}  // namespace

}  // namespace echo_rt::fuzz

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
  using namespace echo_rt::fuzz;
  const char* name = std::getenv("ECHO_RT_KERNEL");
  for (const auto* harnesses : {&kPictures, &kMeasures}) {
    for (const Harness& harness : *harnesses) {
      if (!name) std::puts(harness.name);
      if (name && std::strcmp(name, harness.name) == 0) chosen = &harness;
    }
  }
  if (name && !chosen) std::fprintf(stderr, "expected the name of a kernel in ECHO_RT_KERNEL, found %s\n", name);
  if (!chosen) std::exit(name ? 2 : 0);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  echo_rt::fuzz::Given given(data, size);
  echo_rt::fuzz::chosen->run(given);
  return 0;
}
