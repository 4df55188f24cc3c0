"""The service that others connect to: C-ECHO, and C-STORE of ultrasound cines."""

from __future__ import annotations

import sqlite3
import threading
import time
from io import BytesIO
from typing import Any
from weakref import WeakSet

from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt

from echo_rt.errors import OutputError
from echo_rt.node.intake import NOT_UNDERSTOOD, OUT_OF_RESOURCES, Refusal, look_at
from echo_rt.node.journal import Cine
from echo_rt.node.log import Log, told
from echo_rt.node.peers import Peers
from echo_rt.node.shelf import Shelf
from echo_rt.sources.limits import limits

VERIFICATION = "1.2.840.10008.1.1"
CINES = ("1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.3")
"""Ultrasound Multi-frame Image Storage, as it is and as it was before 1993."""

_NOT_TAKEN = ("deflated", "deflate", "jpip", "smpte", "jpeg xl", "high-throughput")
SYNTAXES = [uid for uid in ALL_TRANSFER_SYNTAXES if not any(word in UID(uid).name.lower() for word in _NOT_TAKEN)]
"""Those that are read here; a deflated data set could not be looked at without inflating it."""

ASSOCIATIONS, CONNECTIONS = 16, 32
"""At once; of the latter some are no association yet."""

PDU_BYTES, COMMAND_BYTES = 2**20, 2**16
"""Of a message's part, and of a command, at most. Senders are asked for parts of 16 kB."""

REQUEST_S, IDLE_S = 5.0, 60.0
"""How long a connection may take to ask for an association, and how long an association may be silent. pynetdicom
keeps a connection that was closed without a word for the former, too."""

END_S = 10.0
"""How long what is being stored may take when the node ends."""

COMMENT = 64
"""Characters of an error comment (VR LO)."""

CALLING_UNKNOWN = 0x01, 0x01, 0x03
"""Rejected permanently, by the service user, as the calling AE title is not recognised (PS3.8 9.3.4)."""


class Scp:
    """Listens from `start` to `stop`.

    Args:
        title: its AE title; an association that calls another is rejected.
        peers: who may send.
        shelf: where what arrives is stored before it is acknowledged.
        log: what is refused is said and counted there.
    """

    def __init__(self, title: str, peers: Peers, shelf: Shelf, log: Log) -> None:
        self._peers, self._shelf, self._log = peers, shelf, log
        self._ae = AE(title)
        self._ae.require_called_aet = True
        self._ae.maximum_associations = ASSOCIATIONS
        self._ae.network_timeout = self._ae.dimse_timeout = IDLE_S
        self._ae.acse_timeout = REQUEST_S
        self._ae.add_supported_context(VERIFICATION)
        for uid in CINES:
            self._ae.add_supported_context(uid, SYNTAXES)
        self._cut: WeakSet[BytesIO] = WeakSet()  # data sets that were more than is held
        self._storing, self._ending = 0, False
        self._lock = threading.Lock()
        self._server: Any = None

    @property
    def port(self) -> int:
        """On which it listens."""
        return int(self._server.server_address[1])

    def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OutputError: that is refused.
        """
        _config.LOG_HANDLER_LEVEL = "none"  # its lines show what is received
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_PDU_RECV, self._part),
            (evt.EVT_C_STORE, self._store),
        ]
        try:
            self._server = self._ae.start_server((host, port), block=False, evt_handlers=handlers)
        except (OSError, OverflowError) as error:
            found = f"found: {getattr(error, 'strerror', None) or error}"
            raise OutputError(f"expected to listen on {host} port {port}, {found}; choose another --port") from None
        self._server.handle_error = self._failed  # it would print a traceback

    def stop(self) -> None:
        """Take nothing more, and end when what is being stored is stored."""
        self._ending = True
        until_s = time.monotonic() + END_S
        while self._storing and time.monotonic() < until_s:
            time.sleep(0.02)
        self._ae.shutdown()

    # -- in the threads of the connections -----------------------------------------------------------------------------

    def _connected(self, event: Any) -> None:
        transport = event.assoc.dul.socket
        # The thread of a connection that was closed lasts a while, and holds nothing.
        duls: list[Any] = [each.dul for each in self._ae.active_associations]
        if sum(dul.socket is not None and dul.socket.socket is not None for dul in duls) >= CONNECTIONS:
            self._log.refused("connections", "refused a connection: there are too many")
            event.assoc.acse_timeout = 0.0
            transport.close()
            return
        transport.socket.settimeout(IDLE_S)
        read = transport.recv

        def recv(count: int) -> bytearray:
            if count > PDU_BYTES:
                raise OSError(f"expected at most {PDU_BYTES} bytes in a part, found {count}")
            return bytearray(read(count))

        transport.recv = recv

    def _requested(self, event: Any) -> None:
        title, address = _calling(event.assoc)
        if self._peers.admits(title, address):
            return
        self._log.refused("unknown peer", f"rejected an association: {title!r} at {address} is no --peer")
        event.assoc.acse.send_reject(*CALLING_UNKNOWN)
        event.assoc.is_rejected = True
        event.assoc.kill()

    def _rejected(self, event: Any) -> None:
        title, address = _calling(event.assoc)
        called = str(event.assoc.requestor.primitive.called_ae_title).strip()
        self._log.refused("association", f"rejected an association: {title!r} at {address} called {called!r}")

    def _part(self, event: Any) -> None:
        """Hold what a sender has sent of a message so far against the limits."""
        message, allowed = event.assoc.dimse.message, limits()
        if message is None:
            return
        if message.encoded_command_set.tell() > COMMAND_BYTES:
            event.assoc.dul.socket.close()
        elif (data := message.data_set) is not None and data.tell() > allowed.held_bytes:
            self._cut.add(data)
            data.seek(0)
            data.truncate()

    def _store(self, event: Any) -> Dataset | int:
        with self._lock:
            self._storing += 1
        try:
            refusal = self._refusal(event)
        except (OSError, sqlite3.Error) as error:
            refusal = Refusal(OUT_OF_RESOURCES, f"cannot be stored: {told(error)}")
        except Exception as error:  # noqa: BLE001 - it costs this instance, and the sender is told so
            refusal = Refusal(NOT_UNDERSTOOD, f"a defect of echo-rt: {type(error).__name__}")
        finally:
            with self._lock:
                self._storing -= 1
        if refusal is None:
            return 0x0000
        self._log.refused(f"0x{refusal.status:04X}", f"refused an instance (0x{refusal.status:04X}): {refusal.why}")
        answer = Dataset()
        answer.Status, answer.ErrorComment = refusal.status, refusal.why[:COMMENT]
        return answer

    def _refusal(self, event: Any) -> Refusal | None:
        """Store what came, or say why not."""
        request, data = event.request, event.request.DataSet
        if self._ending:
            return Refusal(OUT_OF_RESOURCES, "the node is ending; send it again later")
        if data in self._cut:
            return Refusal(OUT_OF_RESOURCES, f"expected at most {limits().held_bytes:,} bytes, found more")
        if data is None:
            return Refusal(NOT_UNDERSTOOD, "there is no data set")
        syntax = UID(event.context.transfer_syntax)
        uid = str(request.AffectedSOPInstanceUID)
        found = look_at(data, syntax, str(request.AffectedSOPClassUID), uid)
        if isinstance(found, Refusal):
            return found
        head = BytesIO()
        head.write(b"\0" * 128 + b"DICM")
        write_file_meta_info(DicomIO(head), event.file_meta)
        self._shelf.keep(Cine(found.uid, found.study, *_calling(event.assoc)), (head.getvalue(), data.getbuffer()))
        return None

    def _failed(self, request: object, address: object) -> None:
        self._log.say("a connection ended by an error")


def _calling(assoc: Any) -> tuple[str, str]:
    """AE title and address of who has connected."""
    return str(assoc.requestor.primitive.calling_ae_title).strip(), str(assoc.requestor.address)
