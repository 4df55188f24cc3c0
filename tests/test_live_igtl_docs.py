"""The scene for 3D Slicer and the configuration for PLUS: neither program is at hand, so that stand-ins and the
documented attributes speak for them."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from echo_rt.outputs import igtl_messages
from echo_rt.sources.igtl_address import IgtlAddress

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "slicer.md").read_text(encoding="utf-8")

DOCUMENTED = {
    "PlusConfiguration": "version!",
    "DataCollection": "StartupDelaySec!",
    "DeviceSet": "Name! Description!",
    "OpenCVVideo": "Id! Type! VideoURL DeviceIndex CaptureAPI FrameSize AcquisitionRate FourCC CameraMatrix "
    "DistortionCoefficients AutofocusEnabled AutoexposureEnabled",
    "OpenIGTLinkVideo": "Id! Type! ServerAddress! ServerPort! MessageType ImageMessageEmbeddedTransformName "
    "IgtlMessageCrcCheckEnabled UseReceivedTimestamps ReconnectOnReceiveTimeout ReceiveTimeoutSec SendTimeoutSec "
    "AcquisitionRate LocalTimeOffsetSec",
    "DataSources": "",
    "DataSource": "Type! Id! PortUsImageOrientation! ImageType BufferSize AveragedItemsForFiltering "
    "ClipRectangleOrigin ClipRectangleSize",
    "OutputChannels": "",
    "OutputChannel": "Id! VideoDataSourceId!",
    "CoordinateDefinitions": "",
    "Transform": "From! To! Matrix! Error Date",
    "PlusOpenIGTLinkServer": "ListeningPort! OutputChannelId! MissingInputGracePeriodSec MaxTimeSpentWithProcessingMs "
    "MaxNumberOfIgtlMessagesToSend NumberOfRetryAttempts DelayBetweenRetryAttemptsSec KeepAliveIntervalSec "
    "SendValidTransformsOnly IgtlMessageCrcCheckEnabled LogWarningOnNoDataAvailable",
    "DefaultClientInfo": "ClientHeaderVersion TDATARequested TDATAResolution",
    "MessageTypes": "",
    "Message": "Type!",
    "ImageNames": "",
    "Image": "Name! EmbeddedTransformToFrame!",
}
"""Attributes that PLUS documents for an element or a type of device, those with ! required."""


@pytest.fixture(scope="module")
def plus() -> ElementTree.Element:
    return ElementTree.parse(DOCS / "plus" / "echo_rt.xml").getroot()


def test_plus_knows_every_element_and_attribute(plus: ElementTree.Element) -> None:
    for element in plus.iter():
        kind = element.get("Type", "") if element.tag == "Device" else element.tag
        names = DOCUMENTED[kind].split()
        assert set(element.keys()) <= {name.rstrip("!") for name in names}, kind
        assert {name[:-1] for name in names if name.endswith("!")} <= set(element.keys()), kind


def test_every_name_that_plus_refers_to_is_there(plus: ElementTree.Element) -> None:
    for device in plus.iter("Device"):
        sources = {source.get("Id") for source in device.iter("DataSource")}
        assert {channel.get("VideoDataSourceId") for channel in device.iter("OutputChannel")} == sources
    channels = {channel.get("Id") for channel in plus.iter("OutputChannel")}
    assert {server.get("OutputChannelId") for server in plus.iter("PlusOpenIGTLinkServer")} == channels
    transforms = {(each.get("From"), each.get("To")) for each in plus.iter("Transform")}
    assert {(image.get("Name"), image.get("EmbeddedTransformToFrame")) for image in plus.iter("Image")} == transforms
    assert all(len(str(each.get("Matrix")).split()) == 16 for each in plus.iter("Transform"))


def test_the_page_dials_plus_where_it_listens_and_listens_where_plus_dials(plus: ElementTree.Element) -> None:
    command = next(line for line in PAGE.splitlines() if "igtl://localhost" in line)
    address = IgtlAddress.of(re.findall(r'"(igtl:[^"]*)"', command)[0])
    video, labels = plus.iter("PlusOpenIGTLinkServer")
    image = next(video.iter("Image"))
    assert address.port == int(video.get("ListeningPort", 0)) != int(labels.get("ListeningPort", 0))
    assert address.device == f"{image.get('Name')}_{image.get('EmbeddedTransformToFrame')}"
    device = plus.find(".//Device[@Type='OpenIGTLinkVideo']")
    assert device is not None
    assert f"--igtl-out {device.get('ServerPort')}" in command


def scene_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("echo_rt_scene", DOCS / "slicer" / "echo_rt_scene.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_scene_names_what_is_sent() -> None:
    scene = scene_script()
    names = [getattr(module, name) for module in (scene, igtl_messages) for name in ("PICTURE", "MASK", "EF", "STATE")]
    assert names[:4] == names[4:]
    assert all(f"`{name}`" in PAGE for name in names)
    assert f"--igtl-out {scene.PORT}" in PAGE


def test_the_scene_shows_nothing_old_as_current() -> None:
    shown = scene_script().shown
    reading = json.dumps({"quality": "ok", "ef_percent": 55.0})
    assert shown(True, "55.0", reading) == "EF 55.0 %"
    assert shown(False, "55.0", reading) == "echo-rt: not connected"
    assert shown(True, "", json.dumps({"idle": "source lost"})) == "echo-rt: source lost"
    assert shown(True, "", json.dumps({"quality": "no ventricle"})) == "no EF: no ventricle"
    assert shown(True, "", "") == "no EF: no picture yet"


METHODS = {
    "vtkMRMLIGTLConnectorNode": "SetTypeServer SetTypeClient Start GetState",
    "vtkMRMLColorTableNode": "SetTypeToUser SetNumberOfColors SetColor GetID",
    "vtkMRMLScalarVolumeDisplayNode": "SetAndObserveColorNodeID SetInterpolate AutoWindowLevelOff SetWindowLevelMinMax",
}
"""Of Slicer's nodes, the methods that the scene needs."""


class StandInNode:
    """A node of Slicer's that knows the methods of its kind, and no others."""

    StateConnected = 2

    def __init__(self, kind: str, name: str = "", **gives: Any) -> None:
        self.kind, self.name, self.gives = kind, name, gives
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, method: str) -> Any:
        if method in self.gives:
            return lambda: self.gives[method]
        if method not in METHODS.get(self.kind, "").split():
            raise AttributeError(f"{self.kind} has no {method}")
        return lambda *given: self.asked.append((method, *given))


class StandInSlicer:
    """Slicer's scene, status bar and timer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.nodes: list[StandInNode] = []
        self.text, self.layers = "", dict[str, Any]()
        scene = SimpleNamespace(AddNewNodeByClass=self.add, GetFirstNodeByName=self.first)
        bar = SimpleNamespace(addPermanentWidget=lambda label: None)
        util = SimpleNamespace(
            mainWindow=lambda: SimpleNamespace(statusBar=lambda: bar), setSliceViewerLayers=self.layers.update
        )
        label = SimpleNamespace(setText=lambda text: setattr(self, "text", text))
        timer = SimpleNamespace(connect=lambda signal, turn: None, start=lambda period_ms: None)
        monkeypatch.setitem(sys.modules, "slicer", SimpleNamespace(mrmlScene=scene, util=util))
        monkeypatch.setitem(sys.modules, "qt", SimpleNamespace(QLabel=lambda: label, QTimer=lambda: timer))

    def add(self, kind: str, name: str, **gives: Any) -> StandInNode:
        self.nodes.append(StandInNode(kind, name, **gives))
        return self.nodes[-1]

    def first(self, name: str) -> StandInNode | None:
        return next((node for node in self.nodes if node.name == name), None)


@pytest.mark.parametrize(
    ("host", "asked"), [("listen", ("SetTypeServer", 18945)), ("pc", ("SetTypeClient", "pc", 18945))]
)
def test_the_scene_connects_and_shows_what_comes(
    host: str, asked: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    slicer = StandInSlicer(monkeypatch)
    scene = scene_script().Scene(host)
    connector = slicer.nodes[0]
    assert connector.asked == [asked, ("Start",)]
    scene.look()
    assert slicer.text == "echo-rt: not connected"
    connector.gives["GetState"] = 2
    display = StandInNode("vtkMRMLScalarVolumeDisplayNode")
    mask = slicer.add("vtkMRMLScalarVolumeNode", igtl_messages.MASK, GetDisplayNode=display)
    slicer.add("vtkMRMLTextNode", igtl_messages.EF, GetText="61.5")
    scene.look()
    assert slicer.text == "EF 61.5 %"
    assert (slicer.layers["background"], slicer.layers["foreground"]) == (mask, None)
    assert ("SetInterpolate", False) in display.asked, "labels have nothing between them"
    picture = slicer.add("vtkMRMLScalarVolumeNode", igtl_messages.PICTURE)
    scene.look()
    assert (slicer.layers["background"], slicer.layers["foreground"]) == (picture, mask)
