// What happens to a frame on the GPU before and after the network. Compiled to echo_rt/kernels.fatbin and launched
// through the driver, by echo_rt/engine/tensorrt/kernels.py, so that nothing links CUDA's runtime library.
// tests/support/emulated_cuda.hpp runs the same code without a GPU.
#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

#include "arithmetic.hpp"

namespace {

constexpr int kClasses = 4;
// For each class: pixels that it won; sum of its probability; sum of it over the pixels that it won. The sums are in
// fixed point.
constexpr int kTallies = 3 * kClasses;

__device__ inline float number(float value) { return value; }
__device__ inline float number(__half value) { return __half2float(value); }
__device__ inline void put(float* target, float value) { *target = value; }
__device__ inline void put(__half* target, float value) { *target = __float2half_rn(value); }

// A thread for each grid pixel; neighbours in x are neighbours in the image, so that what they read lies together.
template <int kChannels, typename Number>
__device__ void preprocess(const unsigned char* image, int row_bytes, int image_height, int image_width, double scale,
                           double x0, double y0, int grid_height, int grid_width, float mean, float std, Number* out) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= grid_width || y >= grid_height) return;
  const echo_rt::Span rows = echo_rt::span(y, scale, y0, image_height),
                      columns = echo_rt::span(x, scale, x0, image_width);
  float total = 0;
  for (int i = 0; i < rows.count; ++i) {
    const unsigned char* pixel =
        image + static_cast<long long>(rows.first + i) * row_bytes + static_cast<long long>(columns.first) * kChannels;
    float row = 0;
    for (int j = 0; j < columns.count; ++j, pixel += kChannels) {
      row += columns.weight(j) * (kChannels == 1 ? static_cast<float>(pixel[0])
                                                 : echo_rt::luma(pixel[0], pixel[kChannels / 2], pixel[kChannels - 1]));
    }
    total += rows.weight(i) * row;
  }
  put(out + static_cast<long long>(y) * grid_width + x, (total - mean) / std);
}

// A thread for each pixel of the grid. Tallies are added up in the block first: one atomic addition a block and number,
// not one a pixel.
template <typename Number>
__device__ void postprocess(const Number* logits, int pixels, float* probability, unsigned char* labels,
                            unsigned long long* tally) {
  __shared__ unsigned block_tally[kTallies];
  for (int k = threadIdx.x; k < kTallies; k += blockDim.x) block_tally[k] = 0;
  __syncthreads();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < pixels) {
    float score[kClasses], share[kClasses];
    for (int c = 0; c < kClasses; ++c) score[c] = number(logits[c * pixels + i]);
    const int label = echo_rt::softmax(score, share);
    labels[i] = static_cast<unsigned char>(label);
    atomicAdd(&block_tally[label], 1u);
    for (int c = 0; c < kClasses; ++c) {
      probability[c * pixels + i] = share[c];
      const unsigned fixed = echo_rt::fixed_point(share[c]);
      atomicAdd(&block_tally[kClasses + c], fixed);
      if (c == label) atomicAdd(&block_tally[2 * kClasses + c], fixed);
    }
  }
  __syncthreads();
  for (int k = threadIdx.x; k < kTallies; k += blockDim.x) {
    if (block_tally[k] != 0) atomicAdd(&tally[k], static_cast<unsigned long long>(block_tally[k]));
  }
}

}  // namespace

// image: rows of `row_bytes` bytes, grey or BGR. out: grid_height x grid_width, (luma - mean) / std.
#define PREPROCESS(name, channels, Number)                                                                          \
  extern "C" __global__ void name(const unsigned char* image, int row_bytes, int image_height, int image_width,     \
                                  double scale, double x0, double y0, int grid_height, int grid_width, float mean,  \
                                  float std, Number* out) {                                                         \
    preprocess<channels>(image, row_bytes, image_height, image_width, scale, x0, y0, grid_height, grid_width, mean, \
                         std, out);                                                                                 \
  }
PREPROCESS(preprocess_grey_float32, 1, float)
PREPROCESS(preprocess_grey_float16, 1, __half)
PREPROCESS(preprocess_bgr_float32, 3, float)
PREPROCESS(preprocess_bgr_float16, 3, __half)

// logits, probability: classes x pixels. tally: kTallies numbers, zero beforehand. At most 256 threads a block: the
// sums of a block fit.
#define POSTPROCESS(name, Number)                                                                              \
  extern "C" __global__ void name(const Number* logits, int pixels, float* probability, unsigned char* labels, \
                                  unsigned long long* tally) {                                                 \
    postprocess(logits, pixels, probability, labels, tally);                                                   \
  }
POSTPROCESS(postprocess_float32, float)
POSTPROCESS(postprocess_float16, __half)
