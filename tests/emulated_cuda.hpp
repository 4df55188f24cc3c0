// Just enough of CUDA to run the bodies of runtime/native/kernels.cu on the processor: the blocks of a launch one after another, the threads
// of a block as real threads that meet at __syncthreads(). Included before that file; a GPU's memory model and speed are not emulated.
#pragma once

#include <condition_variable>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // blocks run one after another, so that one copy serves all

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

namespace emulated {

class Barrier {
 public:
  explicit Barrier(unsigned threads) : threads_(threads) {}
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const unsigned round = round_;
    if (++waiting_ == threads_) {
      waiting_ = 0, ++round_;
      all_.notify_all();
    } else {
      all_.wait(lock, [&] { return round_ != round; });
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  unsigned threads_, waiting_ = 0, round_ = 0;
};

inline Barrier* barrier = nullptr;

}  // namespace emulated

inline thread_local Dim threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads() { emulated::barrier->wait(); }

template <typename Number>
Number atomicAdd(Number* target, Number value) {
  return __atomic_fetch_add(target, value, __ATOMIC_RELAXED);
}

// IEEE 754 binary16, to nearest, ties to even.
struct __half {
  uint16_t bits;
};

inline float __half2float(__half value) {
  const int exponent = value.bits >> 10 & 31, fraction = value.bits & 1023;
  const float size = exponent == 0    ? std::ldexp(static_cast<float>(fraction), -24)
                     : exponent == 31 ? (fraction ? NAN : INFINITY)
                                      : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return value.bits & 0x8000 ? -size : size;
}

inline __half __float2half_rn(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const float size = std::fabs(value);
  if (std::isnan(value)) return {0x7e00};
  int exponent = 0;
  std::frexp(size, &exponent);
  const int step = exponent - 11 < -24 ? -24 : exponent - 11;  // of the last bit, as a power of two
  const float whole = std::nearbyint(std::ldexp(size, -step));
  const float rounded = std::ldexp(whole, step);
  if (rounded >= 65536.0f) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (rounded < std::ldexp(1.0f, -14)) return {static_cast<uint16_t>(sign | static_cast<uint16_t>(std::ldexp(rounded, 24)))};
  std::frexp(rounded, &exponent);
  const auto fraction = static_cast<uint16_t>(std::ldexp(rounded, 11 - exponent));  // 1024 to 2047
  return {static_cast<uint16_t>(sign | ((exponent + 14) << 10) | (fraction & 1023))};
}

namespace emulated {

// kernel<<<grid, block>>>(arguments...)
template <typename Kernel, typename... Arguments>
void launch(const unsigned* grid, const unsigned* block, Kernel kernel, Arguments... arguments) {
  const unsigned threads = block[0] * block[1] * block[2];
  Barrier between(threads), inside(threads);
  barrier = &inside;
  const auto run = [&](unsigned thread) {
    blockDim = {block[0], block[1], block[2]}, gridDim = {grid[0], grid[1], grid[2]};
    threadIdx = {thread % block[0], thread / block[0] % block[1], thread / block[0] / block[1]};
    for (unsigned z = 0; z < grid[2]; ++z)
      for (unsigned y = 0; y < grid[1]; ++y)
        for (unsigned x = 0; x < grid[0]; ++x) {
          blockIdx = {x, y, z};
          kernel(arguments...);
          between.wait();
        }
  };
  std::vector<std::thread> running;
  for (unsigned thread = 0; thread < threads; ++thread) running.emplace_back(run, thread);
  for (std::thread& thread : running) thread.join();
}

}  // namespace emulated
