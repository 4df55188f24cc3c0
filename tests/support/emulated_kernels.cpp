// The kernels of runtime/native/kernels.cu as plain functions, launched by emulation; tests/test_cuda_kernels.py
// compiles and calls them.
#include "emulated_cuda.hpp"
#include "kernels.cu"

using emulated::launch;

#define PREPROCESS_LAUNCH(name, Number)                                                                               \
  extern "C" void launch_##name(const unsigned* grid, const unsigned* block, const unsigned char* image,              \
                                int row_bytes, int image_height, int image_width, double scale, double x0, double y0, \
                                int grid_height, int grid_width, float mean, float std, Number* out) {                \
    launch(grid, block, name, image, row_bytes, image_height, image_width, scale, x0, y0, grid_height, grid_width,    \
           mean, std, out);                                                                                           \
  }
PREPROCESS_LAUNCH(preprocess_grey_float32, float)
PREPROCESS_LAUNCH(preprocess_grey_float16, __half)
PREPROCESS_LAUNCH(preprocess_bgr_float32, float)
PREPROCESS_LAUNCH(preprocess_bgr_float16, __half)

#define POSTPROCESS_LAUNCH(name, Number)                                                                       \
  extern "C" void launch_##name(const unsigned* grid, const unsigned* block, const Number* logits, int pixels, \
                                float* probability, unsigned char* labels, unsigned long long* tally) {        \
    launch(grid, block, name, logits, pixels, probability, labels, tally);                                     \
  }
POSTPROCESS_LAUNCH(postprocess_float32, float)
POSTPROCESS_LAUNCH(postprocess_float16, __half)

extern "C" unsigned short half_of(float value) { return __float2half_rn(value).bits; }
extern "C" float float_of(unsigned short bits) { return __half2float({bits}); }
