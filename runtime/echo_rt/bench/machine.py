"""What machine this is, and what it can do at best."""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.model.protobuf import field, text_field

ISA = "avx2 fma avx512f avx512_vnni avx_vnni avx512_bf16 amx_int8 amx_bf16 asimddp i8mm sve".split()
"""What makes products of bytes and of halves fast, as Linux names it."""

SIDE = 1024
"""Of the square matrices that are multiplied: 1.07 G multiply-adds; the shape suits every kernel."""

BYTES = 1 << 28
"""How many are copied: more than any cache holds."""


def describe() -> dict[str, Any]:
    """The machine's name, processors, memory and versions, for people and for comparison."""
    import cv2
    import onnxruntime

    from echo_rt import __version__

    info = _read("/proc/cpuinfo")
    name = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    siblings = re.search(r"^siblings\s*:\s*(\d+)", info, re.MULTILINE)
    cores = re.search(r"^cpu cores\s*:\s*(\d+)", info, re.MULTILINE)
    return {
        "processor": name[1] if name else platform.processor() or platform.machine(),
        "usable_processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads_a_core": int(siblings[1]) // int(cores[1]) if siblings and cores and int(cores[1]) else None,
        "isa": [flag for flag in ISA if flag in known],
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {
            "echo-rt": __version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    }


def ceiling(threads: int) -> dict[str, float]:
    """The best that this machine does, each of many runs.

    Args:
        threads: as many as the network has.

    Returns:
        ``int8_gmac_s`` (unsigned by signed bytes) and ``fp32_gmac_s``: giga multiply-adds a second of `SIDE` x `SIDE`
        matrices in ONNX Runtime, which runs the network. ``copy_gb_s``: GB a second, read and written by a copy in
        NumPy.
    """
    rng = np.random.default_rng(0)
    whole, real = rng.integers(0, 256, (SIDE, SIDE), np.uint8), rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    source, target = np.ones(BYTES // 8), np.empty(BYTES // 8)
    giga = SIDE**3 / 1e9
    int8 = _session(product_model("MatMulInteger", 2, 6, 3, rng.integers(-127, 128, (SIDE, SIDE), np.int8)), threads)
    fp32 = _session(product_model("MatMul", 1, 1, 1, real), threads)
    return {
        "threads": threads,
        "int8_gmac_s": giga / _best(lambda: int8.run(None, {"a": whole})),
        "fp32_gmac_s": giga / _best(lambda: fp32.run(None, {"a": real})),
        "copy_gb_s": 2 * BYTES / 1e9 / _best(lambda: np.copyto(target, source), 8),
    }


def product_model(operator: str, type_a: int, type_y: int, type_b: int, b: Any) -> bytes:
    """An ONNX model of one matrix product, as bytes. The runtime has no ONNX package to make it with.

    Args:
        operator: MatMul or MatMulInteger.
        type_a, type_y, type_b: ONNX's numbers of the types (TensorProto.DataType).
        b: (n, n) the right side, a constant.
    """
    side = b.shape[0]
    dimension = field(1, field(1, side))  # TensorShapeProto.Dimension.dim_value, in TensorShapeProto.dim

    def value(name: str, kind: int) -> bytes:  # ValueInfoProto: name, type.tensor_type of elem_type and shape
        return text_field(1, name) + field(2, field(1, field(1, kind) + field(2, dimension + dimension)))

    node = text_field(1, "a") + text_field(1, "b") + text_field(2, "y") + text_field(4, operator)
    constant = field(1, side) + field(1, side) + field(2, type_b) + text_field(8, "b") + field(9, b.tobytes())
    graph = field(1, node) + text_field(2, "product") + field(5, constant)
    graph += field(11, value("a", type_a)) + field(12, value("y", type_y))
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))  # ir_version, graph, opset_import


def _session(model: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _best(call: Callable[[], Any], turns: int = 12) -> float:
    call()
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    # The mean of the best three: one alone may be an accident of the clock.
    return statistics.mean(sorted(times)[:3])


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # another system than Linux
        return ""
