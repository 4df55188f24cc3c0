// Just enough of CUDA to run the bodies of runtime/native/kernels.cu on the processor: the blocks of a launch one after
// another, the threads of a block in turn, each as far as the next __syncthreads(). Included before that file; a GPU's
// races and speed are not emulated.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // blocks run one after another, so that one copy serves all

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

namespace emulated {

// A thread of a block, which can be left in the middle.
struct Thread {
  ucontext_t place;
  std::vector<char> stack;
  Dim index;
  bool ended;
};

inline ucontext_t scheduler;
inline Thread* running = nullptr;
inline std::function<void()> body;

inline void run_body() {
  body();
  running->ended = true;
}

}  // namespace emulated

inline Dim threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads() { swapcontext(&emulated::running->place, &emulated::scheduler); }

template <typename Number>
Number atomicAdd(Number* target, Number value) {
  const Number before = *target;
  *target += value;
  return before;
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
  if (rounded < std::ldexp(1.0f, -14))
    return {static_cast<uint16_t>(sign | static_cast<uint16_t>(std::ldexp(rounded, 24)))};
  std::frexp(rounded, &exponent);
  const auto fraction = static_cast<uint16_t>(std::ldexp(rounded, 11 - exponent));  // 1024 to 2047
  return {static_cast<uint16_t>(sign | ((exponent + 14) << 10) | (fraction & 1023))};
}

namespace emulated {

// All threads of one block, from one __syncthreads() to the next, until all have come to their end.
inline void run_block(std::vector<Thread>& threads) {
  for (Thread& thread : threads) {
    getcontext(&thread.place);
    thread.place.uc_stack.ss_sp = thread.stack.data();
    thread.place.uc_stack.ss_size = thread.stack.size();
    thread.place.uc_link = &scheduler;
    thread.ended = false;
    makecontext(&thread.place, run_body, 0);
  }
  for (std::size_t ended = 0; ended < threads.size();) {
    for (Thread& thread : threads) {
      running = &thread, threadIdx = thread.index;
      swapcontext(&scheduler, &thread.place);
      ended += thread.ended;
    }
    if (ended != 0 && ended != threads.size()) {
      std::fputs("some threads of a block wait at __syncthreads(), others have ended\n", stderr);
      std::abort();
    }
  }
}

// kernel<<<grid, block>>>(arguments...); one launch at a time.
template <typename Kernel, typename... Arguments>
void launch(const unsigned* grid, const unsigned* block, Kernel kernel, Arguments... arguments) {
  std::vector<Thread> threads(block[0] * block[1] * block[2]);
  for (unsigned i = 0; i < threads.size(); ++i) {
    threads[i].stack.resize(64 * 1024);
    threads[i].index = {i % block[0], i / block[0] % block[1], i / block[0] / block[1]};
  }
  body = [&] { kernel(arguments...); };
  blockDim = {block[0], block[1], block[2]}, gridDim = {grid[0], grid[1], grid[2]};
  for (unsigned z = 0; z < grid[2]; ++z)
    for (unsigned y = 0; y < grid[1]; ++y)
      for (unsigned x = 0; x < grid[0]; ++x) {
        blockIdx = {x, y, z};
        run_block(threads);
      }
}

}  // namespace emulated
