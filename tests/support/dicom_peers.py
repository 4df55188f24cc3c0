"""DICOM applications around the node: cines to send, a modality that sends them, an archive that takes reports."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import deepcopy
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom import dcmread
from pydicom.uid import JPEGBaseline8Bit
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.transport import AssociationSocket


def _close(connection: AssociationSocket) -> None:
    if (held := connection.socket) is not None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)
        held.close()


# pynetdicom 3.0.4 leaves the socket to the garbage collector where the other side has closed it already.
AssociationSocket._shutdown_socket = _close

MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
STUDY = "1.2.826.0.1.3680043.8.498.77"


@cache
def _template() -> bytes:
    from echo_rt.phantom import open_phantom
    from echo_rt.phantom.dicom_file import write_dicom

    with TemporaryDirectory() as folder:
        path = Path(folder) / "cine.dcm"
        write_dicom(open_phantom("phantom:?height=120&width=160&fps=20&seconds=0.6"), path)
        return path.read_bytes()


def cine(number: int = 1, study: int = 1, **elements: Any) -> Any:
    """A small simulated cine; those of other numbers are other instances."""
    data = dcmread(BytesIO(_template()))
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{STUDY}.{study}", f"{STUDY}.{study}.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{STUDY}.{study}.1.{number}"
    for name, value in elements.items():
        setattr(data, name, value)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    return data


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def associate(port: int, calling: str = "SCANNER", called: str = "ECHO-RT", sop_class: str = MULTI_FRAME) -> Any:
    """An association with the node, or one that it has rejected."""
    ae = AE(calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    ae.add_requested_context("1.2.840.10008.1.1")
    for syntax in (JPEGBaseline8Bit, "1.2.840.10008.1.2.1"):
        ae.add_requested_context(sop_class, syntax)
    return ae.associate("127.0.0.1", port, ae_title=called)


def send(port: int, *cines: Any, **how: str) -> list[int | None]:
    """Send instances in one association; the node's answers."""
    association = associate(port, **how)
    assert association.is_established
    try:
        return [association.send_c_store(each).get("Status") for each in cines]
    finally:
        association.release()


class Archive:
    """Takes whatever is sent, and keeps each instance once, as an archive does.

    Attributes:
        stored: what was sent, by its UID.
        came: the UIDs in the order in which they came, also those that came again.
        refuse: answers of the first C-STOREs, before it takes any.
    """

    def __init__(self, title: str = "SCANNER", port: int = 0, refuse: Iterable[int] = ()) -> None:
        self.stored: dict[str, Any] = {}
        self.came: list[str] = []
        self.refuse = list(refuse)
        self._changed = threading.Condition()
        self._ae = AE(title)
        self._ae.maximum_associations = 100
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        self._server = self._ae.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        self.port = int(self._server.server_address[1])

    def _store(self, event: Any) -> int:
        data = deepcopy(event.dataset)
        with self._changed:
            self._changed.notify_all()
            if self.refuse:
                return self.refuse.pop()
            self.came.append(str(data.SOPInstanceUID))
            assert self.stored.setdefault(self.came[-1], data) == data, "another object of the same UID"
            return 0x0000

    def wait(self, until: Callable[[], bool], most_s: float = 120) -> bool:
        """Wait until that is so, which is looked at whenever something has come."""
        with self._changed:
            return self._changed.wait_for(until, most_s)

    def close(self) -> None:
        self._ae.shutdown()
