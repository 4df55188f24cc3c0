"""An emulated ARM64 machine: Debian's files, wheels from the index, and echo-rt compiled for it on this machine.

QEMU translates the instructions, proot shows the files, and neither needs the kernel's binfmt_misc.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
BUILT = REPOSITORY / "build" / "arm64"
RELEASE, PYTHON = "bookworm", (3, 11)
PACKAGES = "python3,libpython3-dev,libgl1,libglib2.0-0"
"""OpenCV's wheel wants libGL and GLib of the system."""

TOOLS = {
    "debootstrap": "debootstrap",
    "dpkg-deb": "dpkg",
    "qemu-aarch64-static": "qemu-user-static",
    "proot": "proot",
    "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
}
"""Program: the Debian package that has it."""

LIBRARIES = ["pytest", "pytest-timeout", "pytest-benchmark", "hypothesis", "onnx"]
"""Beside what echo-rt itself needs. Torch is left out for its size, and OpenVINO because it crashes under QEMU 7.2."""

CPUS = {
    "cortex-a53": "0xd03",
    "cortex-a72": "0xd08",
    "cortex-a76": "0xd0b",
    "neoverse-n1": "0xd0c",
    "max": "0xd4f",
}
"""What QEMU calls a processor: its part number in /proc/cpuinfo. `max` has all that QEMU knows, SVE, I8MM and BF16 too;
its number is that of a Neoverse V2."""


class BoardError(Exception):
    """One line: what was expected, what was found, and what to do."""


def check_tools() -> None:
    """Raise where this machine cannot make the board."""
    needed = TOOLS if os.geteuid() == 0 else {**TOOLS, "fakeroot": "fakeroot"}
    if missing := [package for tool, package in needed.items() if not shutil.which(tool)]:
        raise BoardError(
            f"expected the tools for ARM64, found no {', '.join(missing)}; apt install {' '.join(missing)}"
        )
    if sys.version_info[:2] != PYTHON:
        wanted, found = (".".join(map(str, version)) for version in (PYTHON, sys.version_info[:2]))
        raise BoardError(
            f"expected Python {wanted}, as Debian {RELEASE} has it, found {found}; make PYTHON=python{wanted}"
        )


def make_root() -> Path:
    """Debian's files for ARM64, unpacked once. No script of a package runs, and so nothing is emulated here."""
    root = BUILT / "root"
    if root.is_dir():
        return root
    half = BUILT / "root.half"
    shutil.rmtree(half, ignore_errors=True)
    half.parent.mkdir(parents=True, exist_ok=True)
    as_root = [] if os.geteuid() == 0 else ["fakeroot"]
    how = ["--arch=arm64", "--foreign", "--variant=minbase", f"--include={PACKAGES}"]
    _call(*as_root, "debootstrap", *how, RELEASE, half)
    archives = half / "var" / "cache" / "apt" / "archives"
    for package in sorted(archives.glob("*.deb")):
        _call(*as_root, "dpkg-deb", "--extract", package, half)
    shutil.rmtree(archives)
    half.rename(root)
    return root


def install_libraries() -> None:
    """The wheels for ARM64 of what echo-rt needs, fetched by this machine's pip; again when the list changes."""
    site, stamp = BUILT / "site", BUILT / "site.txt"
    wanted = "\n".join([*LIBRARIES, (REPOSITORY / "constraints.txt").read_text(), str(_dependencies())])
    if site.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(site, ignore_errors=True)
    glibc = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)]
    _pip(
        *("install", "--only-binary=:all:", f"--target={site}", f"--constraint={REPOSITORY / 'constraints.txt'}"),
        *("--implementation=cp", f"--python-version={'.'.join(map(str, PYTHON))}", *glibc),
        *("--platform=manylinux2014_aarch64", *_dependencies(), *LIBRARIES),
    )
    stamp.write_text(wanted)


def install_product(root: Path) -> None:
    """The wheel of echo-rt, compiled here for ARM64 with the flags of any other wheel."""
    product, wheels = BUILT / "product", BUILT / "wheel"
    for folder in (product, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    headers = root / "usr" / "include" / "python3.11"
    _pip(
        *("wheel", "--no-deps", f"--wheel-dir={wheels}", f"-Cbuild-dir={BUILT / 'cmake'}"),
        *(f"-Ccmake.define.CMAKE_TOOLCHAIN_FILE={Path(__file__).with_name('toolchain.cmake')}",),
        *(f"-Ccmake.define.Python_INCLUDE_DIR={headers}", "-Ccmake.define.ECHO_RT_CUDA=OFF", str(REPOSITORY)),
        environment={
            # What a wheel and a module for the other machine are called.
            "_PYTHON_HOST_PLATFORM": "linux-aarch64",
            "SETUPTOOLS_EXT_SUFFIX": ".cpython-311-aarch64-linux-gnu.so",
            # Debian's pyconfig.h asks for that of its architecture. All else is the cross compiler's own.
            "CXXFLAGS": f"-idirafter {root / 'usr' / 'include'}",
        },
    )
    (wheel,) = wheels.glob("*_aarch64.whl")
    _pip("install", "--no-deps", f"--target={product}", "--platform=linux_aarch64", "--only-binary=:all:", str(wheel))


class Board(NamedTuple):
    """The machine once it is made.

    Attributes:
        root: the folder with Debian's files.
        cpu: a key of `CPUS`.
    """

    root: Path
    cpu: str

    def python(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> int:
        """Run Python there, in the repository's folder; its exit status."""
        home = BUILT / "home"
        home.mkdir(exist_ok=True)
        # Libraries that read this machine's own file take the processor for no ARM; ONNX Runtime crashes then.
        described = BUILT / f"cpuinfo.{self.cpu}"
        described.write_text("".join(_described(number, CPUS[self.cpu]) for number in range(os.cpu_count() or 1)))
        binds = ["/dev", "/proc", "/sys", "/tmp", REPOSITORY, f"{described}:/proc/cpuinfo"]
        return subprocess.run(
            [
                *("proot", "-q", f"qemu-aarch64-static -cpu {self.cpu}", "-r", self.root, "-w", REPOSITORY),
                *(part for bind in binds for part in ("-b", bind)),
                *("/usr/bin/python3", *arguments),
            ],
            env={
                **{"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
                **{"PYTHONPATH": f"{BUILT / 'product'}:{BUILT / 'site'}:{REPOSITORY / 'tests'}", **(environment or {})},
            },
            check=False,
        ).returncode


def qemu_version() -> str:
    said = subprocess.run(["qemu-aarch64-static", "--version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0].split("version ")[1].split()[0]


def _described(number: int, part: str) -> str:
    return (
        f"processor\t: {number}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: 0x4\nCPU part\t: {part}\nCPU revision\t: 1\n\n"
    )


def _dependencies() -> list[str]:
    import tomllib

    found: list[str] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    return found


def _pip(*arguments: str, environment: Mapping[str, str] | None = None) -> None:
    _call(*(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments), environment=environment)


def _call(*command: str | Path, environment: Mapping[str, str] | None = None) -> None:
    log = BUILT / "making.log"
    with log.open("ab") as out:
        done = subprocess.run(command, stdout=out, stderr=out, env={**os.environ, **(environment or {})}, check=False)
    if done.returncode:
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise BoardError(
            f"expected {Path(command[0]).name} to succeed, found status {done.returncode} ({last}); read {log}"
        )
