"""`echo-rt node` as it is run: in a process, with the engine, killed and ended, on a full disk, beside Orthanc."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from robustness.node_kills import killed
from support.dicom_peers import cine, free_port, send
from support.node_process import node_process
from support.orthanc import Orthanc
from support.program import echo_rt
from support.running_node import archive
from support.stand_in_report import POISON, source_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
QUICK = "--quiet-s 0.2 --retry-s 0.2 --device cpu --jobs 1".split()


def status(folder: Path) -> Any:
    return json.loads(echo_rt("node", "status", folder, "--json").stdout)


def test_kills_while_others_send_cost_and_double_no_instance(tmp_path: Path) -> None:
    found = killed(3, tmp_path, instances=24, associations=8, kills=2)
    assert found.wrong == [], found
    assert len(found.kills) == 2


def test_the_engine_follows_what_arrives_and_a_cine_that_kills_costs_itself_alone(tmp_path: Path) -> None:
    good, bad, folder = cine(1), cine(2, study=2, PatientID=POISON), tmp_path / "node"
    with archive() as there:
        peer = f"SCANNER@127.0.0.1:{there.port}"
        with node_process(folder, "--peer", peer, "--report", "sr,poison", *QUICK) as node:
            assert send(node.port, bad, good) == [0x0000, 0x0000]
            assert there.wait(lambda: len(there.stored) == 1)
            assert node.wait(lambda: status(folder)["instances"]["failed"] == 1), node.said
            node.process.send_signal(signal.SIGTERM)
            assert node.process.wait(60) == 143
            said = node.said
    (report,) = there.stored.values()
    assert source_of(report) == good.SOPInstanceUID
    found = status(folder)
    assert (found["instances"]["done"], found["reports"]["sent"]) == (1, 1)
    (failure,) = found["failures"]
    assert failure["uid"] == bad.SOPInstanceUID
    assert "SIGKILL" in failure["why"]
    assert said.splitlines()[-1].startswith("ended: instances 0 received, 0 processing, 1 done, 1 failed")
    assert said.count("is tried once more") == said.count("instance 1 failed") == 1
    summary = json.loads((folder / "results" / good.SOPInstanceUID / "summary.json").read_text())
    assert summary["frames"] == good.NumberOfFrames
    assert [path.name for path in (folder / "results").iterdir()] == [good.SOPInstanceUID]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_work_ends_it_with_a_line_and_whole_files(number: int, tmp_path: Path) -> None:
    cines, folder = [cine(number) for number in range(8)], tmp_path / "node"
    with node_process(folder, "--peer", "SCANNER", *QUICK) as node:
        assert set(send(node.port, *cines)) == {0x0000}
        assert node.wait(lambda: status(folder)["instances"]["done"] > 0), node.said
        node.process.send_signal(number)
        assert node.process.wait(60) == 128 + number
        assert "Traceback" not in node.said
        assert [line.partition(":")[0] for line in node.said.splitlines()[1:]] == ["ended"], node.said
    done = status(folder)["instances"]["done"]
    assert {path.name for path in (folder / "received").iterdir()} == {f"{each.SOPInstanceUID}.dcm" for each in cines}
    assert not [*(folder / "results").glob(".*")], "nothing is half written"
    assert 1 <= done <= len([*(folder / "results").glob("*/summary.json")])


def test_a_disk_that_is_full_refuses_and_takes_the_next_that_fits(tmp_path: Path) -> None:
    small, large = cine(1), cine(2)
    large.add_new(0x00290010, "LO", "echo-rt tests")
    large.add_new(0x00291001, "OB", bytes(4_000_000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    with node_process(tmp_path / "node", "--peer", "SCANNER", *QUICK[2:], limit=limit) as node:
        assert send(node.port, large, small) == [0xA700, 0x0000]
        assert {path.name for path in (tmp_path / "node" / "received").iterdir()} == {f"{small.SOPInstanceUID}.dcm"}


def test_a_second_node_a_taken_port_and_an_unknown_model_are_one_line(tmp_path: Path) -> None:
    with node_process(tmp_path / "node", "--peer", "SCANNER", *QUICK) as node:
        for words, expected in (
            (["--out", tmp_path / "node"], "another echo-rt node at work"),
            (["--out", tmp_path / "other", "--port", node.port], "choose another --port"),
            (["--out", tmp_path / "third", "--model", "nonesuch"], "nonesuch"),
        ):
            run = echo_rt("node", "--peer", "SCANNER", *words)
            assert (run.returncode, len(run.stderr.splitlines())) == (2, 1), run.stderr
            assert expected in run.stderr


def test_help_and_status_load_no_dicom_library(tmp_path: Path) -> None:
    code = (
        "import sys; from echo_rt.commands.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*({'pynetdicom', 'pydicom', 'numpy', 'sqlite3', 'prometheus_client'} & set(sys.modules)))"
    )
    for words, expected in ((["node", "-h"], ""), (["file", "-h"], ""), (["node", "status", str(tmp_path)], "sqlite3")):
        run = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert run.stdout.splitlines()[-1] == expected


def test_orthanc_forwards_a_cine_and_finds_the_report_in_the_same_study(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "node"
    orthanc = Orthanc(tmp_path / "orthanc", port)
    try:
        peer = f"ORTHANC@127.0.0.1:{orthanc.dicom_port}"
        with node_process(folder, "--peer", peer, "--report", "sr", *QUICK, port=port) as node:
            data = BytesIO()
            cine(1).save_as(data, enforce_file_format=True)
            study = orthanc.post("/instances", data.getvalue())["ParentStudy"]

            def modalities() -> list[str]:
                return sorted(each["MainDicomTags"]["Modality"] for each in orthanc.get(f"/studies/{study}/series"))

            assert node.wait(lambda: modalities() == ["SR", "US"]), (modalities(), node.said)
            assert node.wait(lambda: status(folder)["reports"]["sent"] == 1)
            # By hand, as docs/node.md says it: the cine is known to the node, the SR is refused.
            asked = {"Resources": [study], "Permissive": True}
            answer = orthanc.post("/modalities/echo-rt/store", json.dumps(asked).encode())
            assert answer["InstancesCount"] == 2
            assert status(folder)["instances"]["done"] == 1
        assert len(orthanc.get("/studies")) == 1
        (series,) = [e for e in orthanc.get(f"/studies/{study}/series") if e["MainDicomTags"]["Modality"] == "SR"]
        (report,) = series["Instances"]
        tags = orthanc.get(f"/instances/{report}/simplified-tags")
        assert tags["PatientID"] == cine(1).PatientID
        assert tags["StudyInstanceUID"] == cine(1).StudyInstanceUID
        # Orthanc shows its own files as it keeps them: the node's own is the same.
        made = dcmread(folder / "results" / cine(1).SOPInstanceUID / "report.sr.dcm")
        assert tags["SOPInstanceUID"] == made.SOPInstanceUID
    finally:
        orthanc.close()
