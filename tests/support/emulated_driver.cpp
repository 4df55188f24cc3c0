// A libcuda.so.1 on the processor, for NVIDIA's real cuda-bindings to load: one device whose memory is the processor's,
// streams that do at once what they are given, captures that keep it, and the kernels of runtime/native/kernels.cu.
// tests/test_cuda_bindings.py compiles it. A call that is not as CUDA documents it ends the program.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "emulated_kernels.cpp"

#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition)) {                                           \
      std::fprintf(stderr, "%s: not %s\n", __func__, #condition); \
      std::abort();                                               \
    }                                                             \
  } while (false)

namespace {

enum { SUCCESS = 0, OUT_OF_MEMORY = 2, NOT_FOUND = 500 };
using Steps = std::vector<std::function<void()>>;
struct Stream {
  std::unique_ptr<Steps> recorded;
};
struct Function {
  std::string name;
};
Stream* known_stream = nullptr;
std::map<uintptr_t, size_t> living;
int depth = 0, objects = 0;
char context, module_;

void* taken(size_t nbytes) {
  void* memory = std::aligned_alloc(256, (nbytes + 255) / 256 * 256);
  std::memset(memory, 0xff, nbytes);
  living[reinterpret_cast<uintptr_t>(memory)] = nbytes;
  return memory;
}

void freed(uintptr_t address) {
  CHECK(living.erase(address) == 1);
  std::free(reinterpret_cast<void*>(address));
}

int put(Stream* stream, std::function<void()> step) {
  CHECK(depth > 0);
  CHECK(stream == known_stream);
  if (stream->recorded)
    stream->recorded->push_back(std::move(step));
  else
    step();
  return SUCCESS;
}

int copied(uint64_t to, uint64_t source, size_t nbytes, Stream* stream) {
  return put(stream, [=] { std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(source), nbytes); });
}

template <typename T>
T argument(void** arguments, int index) {
  T value;
  std::memcpy(&value, arguments[index], sizeof value);
  return value;
}

template <typename Launch>
std::function<void()> preprocess(Launch launch, void** a, std::vector<unsigned> grid, std::vector<unsigned> block) {
  auto image = argument<const unsigned char*>(a, 0);
  int row = argument<int>(a, 1), ih = argument<int>(a, 2), iw = argument<int>(a, 3);
  double scale = argument<double>(a, 4), x0 = argument<double>(a, 5), y0 = argument<double>(a, 6);
  int gh = argument<int>(a, 7), gw = argument<int>(a, 8);
  float mean = argument<float>(a, 9), std = argument<float>(a, 10);
  auto out = argument<float*>(a, 11);
  return [=] { launch(grid.data(), block.data(), image, row, ih, iw, scale, x0, y0, gh, gw, mean, std, out); };
}

}  // namespace

extern "C" {

int cuInit(unsigned flags) { return flags; }
int cuDriverGetVersion(int* version) { return *version = 13000, SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int* device, int ordinal) {
  CHECK(ordinal == 0);
  return *device = 0, SUCCESS;
}
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  CHECK(attribute == 18 && device == 0);  // CU_DEVICE_ATTRIBUTE_INTEGRATED
  return *value = 1, SUCCESS;
}
int cuDevicePrimaryCtxRetain(void** found, int) { return *found = &context, SUCCESS; }
int cuCtxPushCurrent_v2(void* given) {
  CHECK(given == &context);
  return ++depth, SUCCESS;
}
int cuCtxPopCurrent_v2(void** found) {
  CHECK(depth > 0);
  return --depth, *found = &context, SUCCESS;
}
int cuMemAlloc_v2(uint64_t* address, size_t nbytes) {
  CHECK(depth > 0 && nbytes > 0);
  if (nbytes > (1u << 30)) return OUT_OF_MEMORY;
  return *address = reinterpret_cast<uint64_t>(taken(nbytes)), SUCCESS;
}
int cuMemFree_v2(uint64_t address) { return freed(address), SUCCESS; }
int cuMemHostAlloc(void** address, size_t nbytes, unsigned flags) {
  CHECK(flags == 0 || flags == 2);  // CU_MEMHOSTALLOC_DEVICEMAP
  return *address = taken(nbytes), SUCCESS;
}
int cuMemFreeHost(void* address) { return freed(reinterpret_cast<uintptr_t>(address)), SUCCESS; }
int cuMemHostGetDevicePointer_v2(uint64_t* address, void* host, unsigned flags) {
  CHECK(flags == 0 && living.count(reinterpret_cast<uintptr_t>(host)));
  return *address = reinterpret_cast<uint64_t>(host), SUCCESS;
}
int cuStreamCreate(Stream** stream, unsigned flags) {
  CHECK(flags == 1);  // CU_STREAM_NON_BLOCKING
  return *stream = known_stream = new Stream, ++objects, SUCCESS;
}
int cuStreamSynchronize(Stream* stream) {
  CHECK(stream == known_stream && !stream->recorded);
  return SUCCESS;
}
int cuStreamDestroy_v2(Stream* stream) { return delete stream, --objects, SUCCESS; }
int cuEventCreate(void** event, unsigned flags) {
  CHECK(flags == 2);  // CU_EVENT_DISABLE_TIMING
  return *event = new char, ++objects, SUCCESS;
}
int cuEventRecord(void* event, Stream* stream) {
  CHECK(event != nullptr);
  return put(stream, [] {});
}
int cuEventSynchronize(void* event) { return event == nullptr; }
int cuEventDestroy_v2(void* event) { return delete static_cast<char*>(event), --objects, SUCCESS; }
int cuMemcpyHtoDAsync_v2(uint64_t to, void* source, size_t nbytes, Stream* stream) {
  return copied(to, reinterpret_cast<uint64_t>(source), nbytes, stream);
}
int cuMemcpyDtoHAsync_v2(void* to, uint64_t source, size_t nbytes, Stream* stream) {
  return copied(reinterpret_cast<uint64_t>(to), source, nbytes, stream);
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t source, size_t nbytes, Stream* stream) {
  return copied(to, source, nbytes, stream);
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t nbytes, Stream* stream) {
  return put(stream, [=] { std::memset(reinterpret_cast<void*>(to), value, nbytes); });
}
int cuModuleLoad(void** found, const char* path) {
  CHECK(std::string(path).size() > 7 && std::string(path).substr(std::string(path).size() - 7) == ".fatbin");
  return *found = &module_, ++objects, SUCCESS;
}
int cuModuleUnload(void* given) {
  CHECK(given == &module_);
  return --objects, SUCCESS;
}
int cuModuleGetFunction(Function** found, void* given, const char* name) {
  CHECK(given == &module_);
  static std::map<std::string, std::unique_ptr<Function>> functions;
  const std::string wanted = name;
  if (wanted != "preprocess_grey_float32" && wanted != "preprocess_bgr_float32" && wanted != "postprocess_float32")
    return NOT_FOUND;
  auto& function = functions[wanted];
  if (!function) function = std::make_unique<Function>(Function{wanted});
  return *found = function.get(), SUCCESS;
}
int cuLaunchKernel(Function* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, Stream* stream, void** a, void** extra) {
  CHECK(shared == 0 && extra == nullptr);
  CHECK(gz == 1 && bx * by * bz == 128);  // as kernels.py launches them
  const std::vector<unsigned> grid{gx, gy, gz}, block{bx, by, bz};
  if (function->name == "preprocess_grey_float32")
    return put(stream, preprocess(launch_preprocess_grey_float32, a, grid, block));
  if (function->name == "preprocess_bgr_float32")
    return put(stream, preprocess(launch_preprocess_bgr_float32, a, grid, block));
  auto logits = argument<const float*>(a, 0);
  int pixels = argument<int>(a, 1);
  auto probability = argument<float*>(a, 2);
  auto labels = argument<unsigned char*>(a, 3);
  auto tally = argument<unsigned long long*>(a, 4);
  return put(stream, [=] {
    launch_postprocess_float32(grid.data(), block.data(), logits, pixels, probability, labels, tally);
  });
}
int cuStreamBeginCapture_v2(Stream* stream, int mode) {
  CHECK(mode == 1 && !stream->recorded);  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
  return stream->recorded = std::make_unique<Steps>(), SUCCESS;
}
int cuStreamEndCapture(Stream* stream, Steps** graph) {
  return *graph = stream->recorded.release(), ++objects, SUCCESS;
}
int cuGraphInstantiateWithFlags(Steps** exec, Steps* graph, unsigned long long flags) {
  CHECK(flags == 0);
  return *exec = new Steps(*graph), ++objects, SUCCESS;
}
int cuGraphUpload(Steps*, Stream* stream) { return stream != known_stream; }
int cuGraphLaunch(Steps* exec, Stream* stream) {
  for (auto& step : *exec) put(stream, step);
  return SUCCESS;
}
int cuGraphDestroy(Steps* graph) { return delete graph, --objects, SUCCESS; }
int cuGraphExecDestroy(Steps* exec) { return delete exec, --objects, SUCCESS; }

// How much is not freed: pieces of memory, and streams, events, modules and graphs.
int emulated_living() { return static_cast<int>(living.size()) + objects; }

struct Named {
  const char* name;
  void* function;
};
#define NAMED(name, function) {name, reinterpret_cast<void*>(function)}
int cuGetProcAddress_v2(const char* name, void** found, int version, uint64_t flags, int* status);
// As cuda.h renames them: the plain name asks for the newest.
int cuGetProcAddress_v2(const char* name, void** found, int, uint64_t, int* status) {
  static const Named table[] = {
      NAMED("cuGetProcAddress", cuGetProcAddress_v2),
      NAMED("cuInit", cuInit),
      NAMED("cuDriverGetVersion", cuDriverGetVersion),
      NAMED("cuDeviceGetCount", cuDeviceGetCount),
      NAMED("cuDeviceGet", cuDeviceGet),
      NAMED("cuDeviceGetAttribute", cuDeviceGetAttribute),
      NAMED("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain),
      NAMED("cuCtxPushCurrent", cuCtxPushCurrent_v2),
      NAMED("cuCtxPopCurrent", cuCtxPopCurrent_v2),
      NAMED("cuMemAlloc", cuMemAlloc_v2),
      NAMED("cuMemFree", cuMemFree_v2),
      NAMED("cuMemHostAlloc", cuMemHostAlloc),
      NAMED("cuMemFreeHost", cuMemFreeHost),
      NAMED("cuMemHostGetDevicePointer", cuMemHostGetDevicePointer_v2),
      NAMED("cuStreamCreate", cuStreamCreate),
      NAMED("cuStreamSynchronize", cuStreamSynchronize),
      NAMED("cuStreamDestroy", cuStreamDestroy_v2),
      NAMED("cuEventCreate", cuEventCreate),
      NAMED("cuEventRecord", cuEventRecord),
      NAMED("cuEventSynchronize", cuEventSynchronize),
      NAMED("cuEventDestroy", cuEventDestroy_v2),
      NAMED("cuMemcpyHtoDAsync", cuMemcpyHtoDAsync_v2),
      NAMED("cuMemcpyDtoHAsync", cuMemcpyDtoHAsync_v2),
      NAMED("cuMemcpyDtoDAsync", cuMemcpyDtoDAsync_v2),
      NAMED("cuMemsetD8Async", cuMemsetD8Async),
      NAMED("cuModuleLoad", cuModuleLoad),
      NAMED("cuModuleUnload", cuModuleUnload),
      NAMED("cuModuleGetFunction", cuModuleGetFunction),
      NAMED("cuLaunchKernel", cuLaunchKernel),
      NAMED("cuStreamBeginCapture", cuStreamBeginCapture_v2),
      NAMED("cuStreamEndCapture", cuStreamEndCapture),
      NAMED("cuGraphInstantiate", cuGraphInstantiateWithFlags),
      NAMED("cuGraphUpload", cuGraphUpload),
      NAMED("cuGraphLaunch", cuGraphLaunch),
      NAMED("cuGraphDestroy", cuGraphDestroy),
      NAMED("cuGraphExecDestroy", cuGraphExecDestroy),
  };
  std::string plain = name;
  for (const Named& entry : table)
    if (plain == entry.name || plain == entry.name + std::string("WithFlags")) {
      *found = entry.function;
      if (status != nullptr) *status = 0;
      return SUCCESS;
    }
  *found = nullptr;
  if (status != nullptr) *status = 1;
  return NOT_FOUND;
}
int cuGetProcAddress(const char* name, void** found, int version, uint64_t flags) {
  return cuGetProcAddress_v2(name, found, version, flags, nullptr);
}

}  // extern "C"
