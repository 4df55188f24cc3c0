"""How the program ends: told to, with nobody reading, with no room, with no home. One line, its status, no traceback.

A process takes a second to begin: here are few of them. `make endings` tells hundreds, at moments drawn by chance.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from echo_rt.commands.streams import NobodyReads, Standard
from echo_rt.errors import OutputError
from robustness.endings import COMMANDS, ended
from support.program import echo_rt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and streams of Unix")
HEART = "phantom:?height=120&width=160&fps=20&seconds=1"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_ends_every_command_with_a_line_and_whole_files(name: str, tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("sees in /proc whether a process heeds signals yet")
    found = ended(list(COMMANDS).index(name), {}, tmp_path, name)
    assert found.wrong == [], found


# -- standard output and error -----------------------------------------------------------------------------------------


def standard(path: str, encoding: str = "utf-8") -> Standard:
    return Standard(open(path, "wb"), encoding, "backslashreplace")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    stream = standard("/dev/full")
    with pytest.raises(OutputError, match=r"standard output: expected to write there, found: No space .*; free some"):
        stream.write("figures\n")
        stream.flush()
    with pytest.raises(OutputError):
        stream.close()


def test_a_reader_that_left_is_no_error_of_ours() -> None:
    heard, tell = os.pipe()
    os.close(heard)
    stream = Standard(os.fdopen(tell, "wb"), "utf-8")
    stream.write("figures\n")
    with pytest.raises(NobodyReads):
        stream.flush()
    with pytest.raises(NobodyReads):
        stream.close()


def test_a_letter_that_cannot_be_shown_is_escaped(tmp_path: Path) -> None:
    stream = standard(str(tmp_path / "out"), "ascii")
    stream.write("EF 55 ± 3 \udcff\n")
    stream.close()
    assert (tmp_path / "out").read_text() == "EF 55 \\xb1 3 \\udcff\n"


# -- the program in surroundings of all kinds --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("redirection", "status", "said"),
    [
        ("| true", 141, ""),
        ("> /dev/full", 2, "echo-rt: standard output: expected to write there, found: No space left on device"),
        (">&- 2>&- <&-", 0, ""),
    ],
)
def test_where_nobody_reads_or_nothing_fits_it_ends_well(redirection: str, status: int, said: str) -> None:
    command = f"{sys.executable} -m echo_rt models {redirection}; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert run.returncode == status, run.stderr
    assert run.stderr.startswith(said)
    assert len(run.stderr.splitlines()) == bool(said)


SURROUNDINGS = {
    "ASCII": ([], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "optimised": (["-O"], {}),
    "warnings are errors": ([], {"PYTHONWARNINGS": "error"}),
    "no home": ([], {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere", "MPLCONFIGDIR": "/proc/nowhere"}),
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_it_works_in_surroundings_of_all_kinds(name: str, tmp_path: Path) -> None:
    options, environment = SURROUNDINGS[name]
    command = [sys.executable, *options, "-m", "echo_rt", "file", HEART, "--out", str(tmp_path / "õut")]
    run = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == b""
    assert len(list((tmp_path / "õut").glob("*/*"))) == 5


READS_ALL = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=+dac_read_search"]
READS_ALL += ["--ambient-caps=+dac_read_search", "--no-new-privs"]


def run_without_rights(command: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
    """Run as a user who is not root. Root becomes one without a name, who may read Python where that is root's own."""
    given |= {"capture_output": True, "text": True, "check": False}
    if os.getuid() != 0:
        return subprocess.run(command, **given)
    try:
        return subprocess.run(command, user=54321, group=54321, extra_groups=[], **given)
    except PermissionError:
        able = [*READS_ALL, sys.executable, "-c", ""]
        if shutil.which("setpriv") is None or subprocess.run(able, capture_output=True, check=False).returncode:
            pytest.skip("another user may not read this Python, and setpriv (Debian: util-linux) may not let it")
        return subprocess.run([*READS_ALL, *command], **given)


def test_a_user_without_home_name_or_rights_gets_results_or_one_line(tmp_path: Path) -> None:
    own, readonly = tmp_path / "own", tmp_path / "readonly"
    own.mkdir()
    readonly.mkdir(0o555)
    user = os.getuid() or 54321
    os.chown(own, user, -1)
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o011 == 0:
            folder.chmod(0o711)
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}

    def run(out: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "echo_rt", "file", HEART, "--out", str(out), "--no-overlay"]
        return run_without_rights(command, env=environment, cwd=own)

    whole = run(own / "out")
    assert whole.returncode == 0, whole.stderr
    assert {path.stat().st_uid for path in own.rglob("*")} == {user}
    assert [path.name for path in own.iterdir()] == ["out"], "and nothing in a folder called ~"
    refused = run(readonly / "out")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert "Permission denied" in refused.stderr


def test_the_entry_point_is_the_one_that_heeds_signals_first() -> None:
    run = echo_rt("--version")
    assert run.returncode == 0
    code = "import sys; import echo_rt.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "typer", "rich", "cv2"} & set(loaded)
