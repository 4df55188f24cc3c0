"""Shows what echo-rt sends in 3D Slicer: the picture, the labels over it, and EF in the status bar.

    Slicer --python-script echo_rt_scene.py              # dials echo-rt on this machine: live ... --igtl-out 18945
    Slicer --python-script echo_rt_scene.py scanner-pc   # dials another machine
    Slicer --python-script echo_rt_scene.py listen       # waits for echo-rt: live ... --igtl-to slicer-pc:18945

Needs the extension SlicerOpenIGTLink.
"""

from __future__ import annotations

import json
import sys
from typing import Any

PORT = 18945
PICTURE, MASK, EF, STATE = "Ultrasound", "LeftVentricle", "EjectionFraction", "EchoRT"
"""Names of the devices, which are those of the nodes."""

LABELS = [
    ("background", 0.0, 0.0, 0.0, 0.0),
    ("LV cavity", 0.16, 0.71, 0.96, 1.0),
    ("LV wall", 0.98, 0.73, 0.27, 1.0),
    ("left atrium", 0.84, 0.37, 0.67, 1.0),
]
TURN_MS = 200


def shown(connected: bool, ef: str, state: str) -> str:
    """The line of the status bar. Nothing that is not current looks so."""
    if not connected:
        return "echo-rt: not connected"
    figures = json.loads(state or "{}")
    if "idle" in figures:
        return f"echo-rt: {figures['idle']}"
    return f"EF {ef} %" if ef else f"no EF: {figures.get('quality') or 'no picture yet'}"


class Scene:
    """The connector, and what is made of the nodes that it brings."""

    def __init__(self, host: str) -> None:
        import qt
        import slicer

        self._slicer = slicer
        self._connector = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLIGTLConnectorNode", "echo-rt")
        if host == "listen":
            self._connector.SetTypeServer(PORT)
        else:
            self._connector.SetTypeClient(host, PORT)
        self._connector.Start()
        self._label = qt.QLabel()
        slicer.util.mainWindow().statusBar().addPermanentWidget(self._label)
        self._arranged: set[str] = set()
        self._timer = qt.QTimer()
        self._timer.connect("timeout()", self.look)
        self._timer.start(TURN_MS)

    def look(self) -> None:
        """Show what came since the last turn."""
        nodes = {name: self._slicer.mrmlScene.GetFirstNodeByName(name) for name in (PICTURE, MASK, EF, STATE)}
        connected = self._connector.GetState() == self._connector.StateConnected
        texts = [nodes[name].GetText() if nodes[name] else "" for name in (EF, STATE)]
        self._label.setText(shown(connected, *texts))
        there = {name for name in (PICTURE, MASK) if nodes[name]}
        if there != self._arranged:
            self._arrange(nodes[PICTURE], nodes[MASK])
            self._arranged = there

    def _arrange(self, picture: Any, mask: Any) -> None:
        if mask:
            self._colour(mask)
        self._slicer.util.setSliceViewerLayers(
            background=picture or mask,
            foreground=mask if picture else None,
            foregroundOpacity=0.4,
            fit=True,
        )

    def _colour(self, mask: Any) -> None:
        colours = self._slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", "echo-rt labels")
        colours.SetTypeToUser()
        colours.SetNumberOfColors(len(LABELS))
        for index, (name, *rgba) in enumerate(LABELS):
            colours.SetColor(index, name, *rgba)
        display = mask.GetDisplayNode()
        display.SetAndObserveColorNodeID(colours.GetID())
        display.SetInterpolate(False)
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0, len(LABELS) - 1)


if __name__ == "__main__":
    scene = Scene(sys.argv[1] if len(sys.argv) > 1 else "localhost")
