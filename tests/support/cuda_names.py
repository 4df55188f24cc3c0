"""The names of PyCUDA and of cuda-bindings that echo-rt may use, with the releases that have them.

PyCUDA's were read from ``src/wrapper/wrap_cudadrv.cpp`` and ``pycuda/driver.py`` of 2024.1 and 2026.1, cuda-bindings'
with ``dir()`` from the wheels of 12.9.0 and 13.5.0; only names that all of these have stand here. Of the large classes
and modules only what is near to what echo-rt does.
"""

from __future__ import annotations

PYCUDA: dict[str, str] = {
    "cuda": (
        "Context Device DeviceAllocation Error Event Function LaunchError LogicError MemoryError Module "
        "PagelockedHostAllocation RuntimeError Stream device_attribute event_flags get_driver_version host_alloc_flags "
        "init mem_alloc mem_get_info memcpy_dtod memcpy_dtod_async memcpy_dtoh memcpy_dtoh_async memcpy_htod "
        "memcpy_htod_async memset_d8 memset_d8_async memset_d32_async module_from_buffer module_from_file "
        "pagelocked_empty"
    ),
    "Device": "compute_capability count get_attribute make_context name pci_bus_id retain_primary_context total_memory",
    "Context": "attach detach get_current get_device pop push synchronize",
    "device_attribute": "CAN_MAP_HOST_MEMORY INTEGRATED MULTIPROCESSOR_COUNT UNIFIED_ADDRESSING",
    "event_flags": "BLOCKING_SYNC DEFAULT DISABLE_TIMING INTERPROCESS",
    "host_alloc_flags": "DEVICEMAP PORTABLE WRITECOMBINED",
    "Stream": "handle is_done synchronize wait_for_event",
    "Event": "query record synchronize time_since time_till",
    "Module": "get_function get_global",
    "Function": "get_attribute prepare prepared_async_call prepared_call",
    "DeviceAllocation": "as_buffer free",
    "PagelockedHostAllocation": "free get_device_pointer get_flags",
}

CUDA_BINDINGS: dict[str, str] = {
    "driver": (
        "CU_MEMHOSTALLOC_DEVICEMAP CUdevice_attribute CUevent_flags CUgraph CUgraphExec CUresult CUstream "
        "CUstreamCaptureMode cuCtxPopCurrent cuCtxPushCurrent cuDeviceGet cuDeviceGetAttribute "
        "cuDevicePrimaryCtxRetain cuEventCreate cuEventDestroy cuEventRecord cuEventSynchronize cuGraphDestroy "
        "cuGraphExecDestroy cuGraphInstantiate cuGraphLaunch cuGraphUpload cuInit cuLaunchKernel cuMemAlloc cuMemFree "
        "cuMemFreeHost cuMemGetInfo cuMemHostAlloc cuMemHostGetDevicePointer cuMemcpyDtoDAsync cuMemcpyDtoHAsync "
        "cuMemcpyHtoDAsync cuMemsetD8Async cuModuleGetFunction cuModuleLoad cuModuleUnload cuStreamBeginCapture "
        "cuStreamCreate cuStreamDestroy cuStreamEndCapture cuStreamSynchronize"
    ),
    "CUresult": (
        "CUDA_ERROR_ILLEGAL_ADDRESS CUDA_ERROR_OUT_OF_MEMORY CUDA_ERROR_STREAM_CAPTURE_INVALIDATED "
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED CUDA_SUCCESS name value"
    ),
    "CUdevice_attribute": "CU_DEVICE_ATTRIBUTE_INTEGRATED",
    "CUevent_flags": "CU_EVENT_DISABLE_TIMING",
    "CUstreamCaptureMode": (
        "CU_STREAM_CAPTURE_MODE_GLOBAL CU_STREAM_CAPTURE_MODE_RELAXED CU_STREAM_CAPTURE_MODE_THREAD_LOCAL"
    ),
}


def names(owner: str) -> frozenset[str]:
    """Of a class or module; of PyCUDA the module is called cuda, of cuda-bindings driver."""
    return frozenset((PYCUDA | CUDA_BINDINGS)[owner].split())
