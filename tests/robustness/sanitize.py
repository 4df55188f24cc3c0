"""`make sanitize`: the C++ kernels under AddressSanitizer and UndefinedBehaviorSanitizer.

First in their tests, then each in the hands of libFuzzer, where clang has built the harnesses of `native/`. What is
found ends the run with status 1.

PYTHONPATH=tests python -m robustness.sanitize                  the same runs each time
PYTHONPATH=tests python -m robustness.sanitize --seconds 600    others: as long as that in libFuzzer's hands
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

BUILT = Path("build/sanitize")
MODULE = BUILT / "site" / "echo_rt"
FUZZER = BUILT / "fuzz"
FOUND = BUILT / "found"

TESTS = [
    f"tests/test_{name}.py"
    for name in (
        *("native", "native_drawing", "native_odd", "native_picture", "postprocess", "preprocess", "contour_rule"),
        *("geometry", "wall", "wall_geometry", "speckle", "systole", "quality", "outputs_drawn", "cuda_kernels"),
    )
]

LEFT_OUT = [
    "colour_of_the_display_and_a_finer_picture_change_little",
    "pixels_that_are_not_square_change_little",
    "a_picture_without_speckle_leaves_the_strain_unknown_and_the_flag_to_the_masks",
    "speckle_that_is_noise_leaves_the_flag_to_the_masks",
    "what_is_of_another_beat_or_patient_is_not_used",
]
"""Of `test_speckle.py`: other hearts for kernels that the rest has run, which take half of the time."""

RUNS = 50_000
"""Of each kernel, where no time is given."""

LIMITS = ["-timeout=20", "-rss_limit_mb=1500", "-max_len=4096", "-len_control=0"]

WATCH = {
    # CPython keeps some memory to its end. Blocks that were freed are watched for a while: fewer of them are faster.
    "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=32:malloc_context_size=8:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def test(tests: list[str]) -> bool:
    """Run the tests with the watched module; whether all passed."""
    (module,) = MODULE.glob("_native.*.so")
    # The interpreter is not built so: what the module needs must be there before it.
    needed = subprocess.run(["ldd", module], capture_output=True, text=True, check=True).stdout
    libraries = [re.search(rf"{name}\.so\.\S+ => (\S+)", needed) for name in ("libasan", "libubsan", r"libstdc\+\+")]
    preload = ":".join(found[1] for found in libraries if found)
    environment = {**os.environ, **WATCH, "LD_PRELOAD": preload, "ECHO_RT_SANITIZED": str(MODULE.resolve())}
    # What a sanitizer says goes to the true standard error: it ends the process, and with it what pytest has kept.
    plain = ["-q", "-p", "robustness.sanitized", "--hypothesis-profile=sanitize", "--capture=sys"]
    shorter = [f"--deselect=tests/test_speckle.py::test_{name}" for name in LEFT_OUT]
    command = [sys.executable, "-m", "pytest", *plain, *shorter, *tests]
    return subprocess.run(command, env=environment).returncode == 0


class Fuzzed(NamedTuple):
    """What came of a kernel: how many runs, how many edges of the code they reached, how long they took, and whether
    nothing was found."""

    runs: int
    edges: int
    seconds: float
    clean: bool


def fuzz(kernel: str, how: list[str]) -> Fuzzed:
    """Let libFuzzer try a kernel; what it finds is kept in `FOUND` and told."""
    FOUND.mkdir(exist_ok=True)
    begun_s = time.monotonic()
    command = [FUZZER, *how, *LIMITS, "-print_final_stats=1", f"-artifact_prefix={FOUND}/{kernel}-"]
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", "ECHO_RT_KERNEL": kernel}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        print(f"DEFECT {kernel}; again with  ECHO_RT_KERNEL={kernel} {FUZZER} FILE\n{done.stderr}", file=sys.stderr)
    runs = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    edges = re.findall(r" cov: (\d+) ", done.stderr)
    seconds = time.monotonic() - begun_s
    return Fuzzed(int(runs[1]) if runs else 0, int(edges[-1]) if edges else 0, seconds, not done.returncode)


def kernels() -> list[str]:
    """The names of the harnesses; none where they were not built."""
    if not FUZZER.exists():
        return []
    return subprocess.run([FUZZER], capture_output=True, text=True, check=True).stdout.split()


def main() -> None:
    """Run the tests and the harnesses, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=None, help="for all kernels together, from a seed by chance")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="those of the kernels without it")
    options = parser.parse_args()
    clean = test(options.tests) if options.tests else True
    names = kernels()
    how = ["-seed=1", f"-runs={RUNS}"]
    if options.seconds is not None:
        each_s = max(1, round(options.seconds / max(1, len(names))))
        how = [f"-seed={random.randrange(1, 10**9)}", f"-max_total_time={each_s}"]
    print(f"libFuzzer: {' '.join(how)}" if names else "libFuzzer: not built, so not run", flush=True)
    found = {name: fuzz(name, how) for name in names}
    if found:
        print("\n| kernel | runs | edges | seconds | found |\n|---|---|---|---|---|")
    for name, of in found.items():
        told = "nothing" if of.clean else "DEFECT"
        print(f"| {name} | {of.runs:,} | {of.edges} | {of.seconds:.0f} | {told} |")
    sys.exit(0 if clean and all(of.clean for of in found.values()) else 1)


if __name__ == "__main__":
    main()
