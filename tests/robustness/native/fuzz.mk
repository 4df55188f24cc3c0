# The C++ kernels and their harnesses for libFuzzer, which is clang's.
CLANG ?= clang++
FUZZER = $(SANITIZE)/fuzz
FUZZED = $(filter-out %/module.cpp,$(wildcard runtime/native/*.cpp)) $(wildcard tests/robustness/native/*.cpp)
FUZZED_HEADERS = $(wildcard runtime/native/*.hpp tests/robustness/native/*.hpp)
FUZZ_FLAGS = -std=c++17 -O1 -g -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS -Iruntime/native \
  -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all

$(FUZZER).of/%.o: %.cpp $(FUZZED_HEADERS)
	@mkdir -p $(@D)
	@$(CLANG) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZER): $(FUZZED:%.cpp=$(FUZZER).of/%.o)
	@$(CLANG) $(FUZZ_FLAGS) -o $@ $^
