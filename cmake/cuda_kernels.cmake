# runtime/native/kernels.cu -> echo_rt/kernels.fatbin, where there is an nvcc that works. Not by CMake's CUDA language: that wants to link
# programs, and nothing here links CUDA's runtime library. The kernels are loaded through the driver.
option(ECHO_RT_CUDA "Compile the CUDA kernels where nvcc is found" ON)
if(NOT ECHO_RT_CUDA)
  return()
endif()

find_program(ECHO_RT_NVCC nvcc HINTS "$ENV{CUDACXX}" "$ENV{CUDA_HOME}/bin" "$ENV{CUDA_PATH}/bin" "$ENV{CUDA_ROOT}/bin"
             PATHS /usr/local/cuda/bin DOC "NVIDIA's CUDA compiler")
if(NOT ECHO_RT_NVCC)
  message(STATUS "echo-rt: no nvcc: installing without the CUDA kernels; the device tensorrt needs them, nothing else does")
  return()
endif()

set(kernels "${CMAKE_CURRENT_SOURCE_DIR}/runtime/native/kernels.cu")
set(options -std=c++17 -O3)
execute_process(COMMAND "${ECHO_RT_NVCC}" --list-gpu-code OUTPUT_VARIABLE known ERROR_QUIET)
execute_process(COMMAND "${ECHO_RT_NVCC}" --version OUTPUT_VARIABLE nvcc_version ERROR_QUIET)
string(REGEX MATCH "release [0-9.]+" nvcc_version "${nvcc_version}")
# Of each family, and of Jetson Orin (87), as far as this nvcc knows them: 12.8 is the first with 100 and 120.
set(targets "")
foreach(capability 75 80 86 87 89 90 100 120)
  if(known MATCHES "sm_${capability}[^0-9]")
    list(APPEND targets -gencode "arch=compute_${capability},code=sm_${capability}")
    if(NOT oldest)
      set(oldest ${capability})
    endif()
  endif()
endforeach()
# The driver compiles PTX for GPUs that are not in the list; that of the oldest serves all later ones.
list(APPEND targets -gencode "arch=compute_${oldest},code=compute_${oldest}")

# Tried now, for one GPU, so that an nvcc that does not go with this compiler costs the kernels and not the installation.
set(trial "${CMAKE_CURRENT_BINARY_DIR}/trial.cubin")
execute_process(COMMAND "${ECHO_RT_NVCC}" ${options} -cubin "-arch=sm_${oldest}" -o "${trial}" "${kernels}"
                RESULT_VARIABLE failed OUTPUT_VARIABLE reason ERROR_VARIABLE reason)
if(NOT oldest OR NOT failed EQUAL 0)
  message(WARNING "echo-rt: ${ECHO_RT_NVCC} cannot compile the CUDA kernels: installing without them.\n${reason}")
  return()
endif()

set(fatbin "${CMAKE_CURRENT_BINARY_DIR}/kernels.fatbin")
add_custom_command(OUTPUT "${fatbin}"
                   COMMAND "${ECHO_RT_NVCC}" ${options} ${targets} -fatbin -o "${fatbin}" "${kernels}"
                   DEPENDS "${kernels}" "${CMAKE_CURRENT_SOURCE_DIR}/runtime/native/arithmetic.hpp"
                   COMMENT "CUDA kernels with nvcc ${nvcc_version}" VERBATIM)
add_custom_target(echo_rt_kernels ALL DEPENDS "${fatbin}")
install(FILES "${fatbin}" DESTINATION echo_rt)
