"""Orthanc, an archive as people run it, in a process of its own with a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.dicom_peers import free_port

DOCS = Path(__file__).resolve().parents[2] / "docs" / "node.md"
"""The script that it runs stands there."""

PATIENCE_S = 120


class Orthanc:
    """An archive that forwards ultrasound cines to the node.

    Attributes:
        dicom_port: on which it takes reports.
    """

    def __init__(self, folder: Path, node_port: int) -> None:
        if (program := shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")) is None:
            pytest.skip("no Orthanc (Debian: apt install orthanc)")
        self.dicom_port, self._port = free_port(), free_port()
        folder.mkdir(parents=True)
        (folder / "forward.lua").write_text(DOCS.read_text().split("```lua\n")[1].split("```")[0])
        settings = {
            "Name": "echo-rt test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self._port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": "ORTHANC",
            "DicomPort": self.dicom_port,
            "DicomModalities": {"echo-rt": ["ECHO-RT", "127.0.0.1", node_port]},
            "LuaScripts": [str(folder / "forward.lua")],
            "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
        self._log = folder / "log"
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            if time.monotonic() > until_s or self._process.poll() is not None:
                pytest.fail(f"Orthanc does not answer: {self._log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        with suppress(urllib.error.URLError, ConnectionError):
            self.get("/system")
            return True
        return False

    def get(self, path: str) -> Any:
        """What its REST interface has there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def post(self, path: str, data: bytes) -> Any:
        """What its REST interface answers to that."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)
