// How a compiler makes vectors of the hot loops.
#pragma once

// On x86 one binary holds a plain version of a loop and two for AVX-512 and for AVX2 with FMA; the loader picks.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(ECHO_RT_NO_CLONES)
#define ECHO_RT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ECHO_RT_CLONES
#endif

#define ECHO_RT_RESTRICT __restrict
