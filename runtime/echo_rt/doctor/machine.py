"""What is installed, what works, and what to do about the rest."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from echo_rt.errors import DeviceError, EchoRtError

# The Debian and Fedora packages that bring the system libraries OpenCV's wheel leaves out.
_PACKAGES = {
    "libGL.so": ("libgl1", "mesa-libGL"),
    "libglib": ("libglib2.0-0", "glib2"),
    "libgthread": ("libglib2.0-0", "glib2"),
    "libSM": ("libsm6", "libSM"),
    "libXext": ("libxext6", "libXext"),
    "libxcb": ("libxcb1", "libxcb"),
    "libGLdispatch": ("libglvnd0", "libglvnd"),
    "libEGL": ("libegl1", "mesa-libEGL"),
    "libX11": ("libx11-6", "libX11"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination: what was looked at, and whether it works."""

    name: str
    ok: bool
    text: str
    """What it is, or why it does not work and what to do."""
    needed: bool = False
    """Whether echo-rt cannot do its main job without it."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def missing_library(error: ImportError) -> str | None:
    """What to do about a system library that is not there; None where the error is about something else."""
    if not (found := re.search(r"(lib[\w+-]+\.so[.\d]*)", str(error))):
        return None
    name = found[1]
    debian, fedora = next((p for prefix, p in _PACKAGES.items() if name.startswith(prefix)), (None, None))
    how = f"apt install {debian} (Fedora: dnf install {fedora})" if debian else f"install the package that holds {name}"
    missing = f"OpenCV needs the system library {name}, which is not there"
    return f"{missing}: {how}; `echo-rt models` and `echo-rt doctor` work without it"


def examine() -> list[Finding]:
    """All findings, in the order in which a frame meets the parts."""
    return [
        Finding("echo-rt", True, f"{version('echo-rt')}, Python {platform.python_version()}, {platform.platform()}"),
        _check("OpenCV", _opencv, needed=True),
        _check("NumPy", lambda: version("numpy"), needed=True),
        _check("native kernels", _native),
        _check("DICOM", _dicom, needed=True),
        _check("video", _video, needed=True),
        _check("plots", lambda: f"matplotlib {version('matplotlib')}"),
        *_devices(),
        *_models(),
        *[_extra(name, modules) for name, modules in _EXTRAS.items()],
    ]


_EXTRAS = {"train": ("torch", "safetensors", "hydra", "onnx"), "export": ("torch", "safetensors", "onnx")}


def _check(name: str, look: Callable[[], str], needed: bool = False) -> Finding:
    try:
        return Finding(name, True, look(), needed)
    except ImportError as error:
        advice = missing_library(error) or f"cannot be imported: {error}; run  pip install --force-reinstall echo-rt"
        return Finding(name, False, advice, needed)
    except (EchoRtError, PackageNotFoundError, OSError) as error:
        return Finding(name, False, str(error), needed)


def _opencv() -> str:
    import cv2

    gui = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
    return f"{cv2.__version__}, windows by {gui[1] if gui else 'nothing'}"


def _native() -> str:
    from echo_rt import native

    if native.MISSING is None:
        return "built, _native"
    advice = "install a C++ compiler and the Python headers (Debian: apt install g++ python3-dev)"
    slower = f"not built ({native.MISSING}): everything works, preprocessing is slower"
    raise DeviceError(f"{slower}; {advice} and install echo-rt again")


def _dicom() -> str:
    import pydicom
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

    kinds = {"JPEG": JPEGBaseline8Bit, "JPEG 2000": JPEG2000, "JPEG-LS": JPEGLSLossless, "RLE": RLELossless}
    if lost := [name for name, uid in kinds.items() if not get_decoder(uid).is_available]:
        found = f"pydicom {pydicom.__version__} has no decoder for {', '.join(lost)}"
        raise DeviceError(f"{found}; run  pip install --force-reinstall echo-rt")
    return f"pydicom {pydicom.__version__}, decoders for uncompressed, {', '.join(kinds)}"


def _video() -> str:
    import av

    encoder = "H.264" if "libx264" in av.codecs_available else "no H.264 encoder: no overlay.mp4"
    return f"PyAV {av.__version__}, {encoder}"


def _devices() -> list[Finding]:
    from echo_rt.engine import DEVICES, probe

    found = [_check(f"device {device}", partial(probe, device), needed=device == "cpu") for device in DEVICES]
    return [*found, _check("device auto", _auto, needed=True)]


def _auto() -> str:
    """What `auto` takes for the default model, and what was measured to find it."""
    from echo_rt.engine import choose, measured

    why = choose()[1]
    found = [one for one in measured() if one.ms is not None]
    return f"{found[0].text}; slower: {'; '.join(one.text for one in found[1:])}" if len(found) > 1 else why


def _models() -> list[Finding]:
    from echo_rt.model import models, models_dir

    try:
        shipped = models()
    except EchoRtError as error:
        return [Finding("models", False, str(error), True)]
    if not shipped:
        return [Finding("models", False, f"expected models in {models_dir()}, found none; install echo-rt again", True)]
    return [Finding(f"model {model.name}", True, f"{', '.join(model.files)}; {model.licence}") for model in shipped]


def _extra(name: str, modules: tuple[str, ...]) -> Finding:
    if lost := [module for module in modules if not _importable(module)]:
        return Finding(f"extra {name}", False, f"not installed ({', '.join(lost)}): run  pip install 'echo-rt[{name}]'")
    return Finding(f"extra {name}", True, "installed")


def _importable(module: str) -> bool:
    try:
        return module in sys.modules or find_spec(module) is not None
    except ValueError:
        return False
