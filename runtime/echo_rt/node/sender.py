"""Sends reports back by C-STORE, until they have arrived."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from echo_rt.node.journal import Due
from echo_rt.node.log import Log, told
from echo_rt.node.peers import Peer, Peers
from echo_rt.node.shelf import Shelf
from echo_rt.outputs.reports import REPORTS

AT_ONCE = 64
"""Reports in one association, at most."""

TURN_S = 0.3
"""Between two looks for what is to be sent."""

CONNECT_S, ANSWER_S = 10.0, 60.0
"""How long a peer may take."""

LONGEST_S = 3600.0
"""Between two tries; the first ones come sooner, each waits twice as long as the one before."""

MOST_TRIES = 100
"""Four days, nearly all of them an hour apart."""

END_S = 5.0
"""How long what is being sent may take when the node ends."""


class Sender:
    """A thread that sends what the journal says is due, from `start` to `stop`.

    Args:
        title: its AE title.
        peers: where the reports go.
        shelf: where they lie.
        log: says what does not arrive.
        retry_s: until the second try.
    """

    def __init__(self, title: str, peers: Peers, shelf: Shelf, log: Log, retry_s: float) -> None:
        self._title, self._peers, self._shelf, self._log, self._retry_s = title, peers, shelf, log, retry_s
        self._ending = False
        self._association: Association | None = None
        self._thread = threading.Thread(target=self._run, name="echo-rt sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End when the report that is being sent has arrived, or after a while."""
        self._ending = True
        self._thread.join(END_S)
        if self._thread.is_alive() and (association := self._association) is not None:
            association.abort()
            self._thread.join(END_S)

    def _run(self) -> None:
        while not self._ending:
            try:
                sent = self._send_due()
            except Exception as error:  # noqa: BLE001 - nothing would be sent any more
                self._log.say(f"reports wait: {told(error)}")
                sent = False
            if not sent:
                time.sleep(TURN_S)

    def _send_due(self) -> bool:
        """Send some of what is due; whether there was any."""
        due = self._shelf.journal.due(time.time(), AT_ONCE)
        homes: dict[Peer | None, list[Due]] = defaultdict(list)
        for each in due:
            homes[self._peers.home(each.title, each.address)].append(each)
        for peer, reports in homes.items():
            if peer is None:
                self._not_sent(reports, "no --peer with a host is where it goes")
            else:
                self._send(peer, reports)
        return bool(due)

    def _send(self, peer: Peer, reports: Sequence[Due]) -> None:
        known = {report: _kind(self._path(report)) for report in reports}
        self._not_sent([report for report, kind in known.items() if kind is None], "its file cannot be read")
        if kinds := {report: kind for report, kind in known.items() if kind is not None}:
            self._association = association = self._associate(peer, set(kinds.values()))
            try:
                if not association.is_established:
                    how = "rejected the association" if association.is_rejected else "cannot be reached"
                    self._not_sent([*kinds], f"{peer.title} at {peer.host} port {peer.port} {how}")
                    return
                for report in kinds:
                    if not self._ending:
                        self._send_one(association, report)
            finally:
                self._association = None
                if association.is_established:
                    association.release()

    def _associate(self, peer: Peer, kinds: set[tuple[str, str]]) -> Association:
        ae = AE(self._title)
        ae.connection_timeout = ae.acse_timeout = CONNECT_S
        ae.dimse_timeout = ae.network_timeout = ANSWER_S
        for sop_class, syntax in sorted(kinds):
            # One each, so that a peer that does not take the file's own syntax gets it uncompressed.
            for offered in dict.fromkeys((syntax, ExplicitVRLittleEndian, ImplicitVRLittleEndian)):
                ae.add_requested_context(sop_class, offered)
        return ae.associate(peer.host or "", peer.port, ae_title=peer.title)

    def _send_one(self, association: Association, report: Due) -> None:
        if not association.is_established:
            self._not_sent([report], "the association has ended")
            return
        try:
            answer = _store(association, self._path(report))
        except Exception as error:  # noqa: BLE001 - one report must not hold up the others
            answer = told(error)
        if answer is None:
            self._shelf.journal.sent(report)
        else:
            self._not_sent([report], answer)

    def _not_sent(self, reports: Sequence[Due], why: str) -> None:
        for report in reports:
            wait_s = min(LONGEST_S, self._retry_s * 2 ** min(report.tries, 30))
            last = report.tries + 1 >= MOST_TRIES
            self._shelf.journal.unsent(report, why, None if last else time.time() + wait_s)
        if reports:
            given_up = "given up" if reports[0].tries + 1 >= MOST_TRIES else "tried again"
            self._log.say(f"not sent, {given_up}: {len(reports)} reports, first of instance {reports[0].number}: {why}")

    def _path(self, report: Due) -> Path:
        return self._shelf.results / report.uid / REPORTS[report.kind].file


def _kind(path: Path) -> tuple[str, str] | None:
    """SOP class and transfer syntax of a file; None where it is no DICOM file any more."""
    try:
        meta = read_file_meta_info(path)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except Exception:  # noqa: BLE001 - a damaged file must not hold up the others
        return None


def _store(association: Association, path: Path) -> str | None:
    """Send a file; None where the peer has it, else why it has not."""
    data = dcmread(path)
    own, kind = data.file_meta.TransferSyntaxUID, data.SOPClassUID
    taken = {each.transfer_syntax[0] for each in association.accepted_contexts if each.abstract_syntax == kind}
    if not taken:
        return "the peer takes no such object"
    if own.is_compressed and own not in taken:
        data.decompress(generate_instance_uid=False)
    status = association.send_c_store(data).get("Status")
    if status is None:
        return "no answer"
    # A warning says that the peer has it, with something changed.
    return None if status == 0 or status >> 12 == 0xB else f"the peer answered 0x{status:04X}"
