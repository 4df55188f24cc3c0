"""`echo-rt node`: a DICOM service, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echo_rt.commands.ending import ending
from echo_rt.commands.engine_options import Device, Model
from echo_rt.commands.plugins import plain_app
from echo_rt.errors import MissingExtraError, ParameterError, printable
from echo_rt.logs import quiet

if TYPE_CHECKING:
    from echo_rt.commands.job import Job, Outcome
    from echo_rt.commands.workers import Workers
    from echo_rt.node.service import Followed, NodeOptions

LISTED = 20
"""Failures that `echo-rt node status` prints."""

node = plain_app(name="node", invoke_without_command=True)

_Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for all that arrives and what comes of it.")]
_Peers = Annotated[
    list[str] | None,
    typer.Option("--peer", metavar="AETITLE[@HOST[:PORT]]", help="Who may send, and where reports go; repeatable."),
]
_Title = Annotated[str, typer.Option("--ae-title", help="AE title of the node.")]
_Host = Annotated[str, typer.Option(help="Address to listen on.")]
_Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")]
_Reports = Annotated[
    str | None, typer.Option(metavar="KINDS", help="Reports of each cine; sr and seg, the default, are sent back.")
]
_Quiet = Annotated[float, typer.Option("--quiet-s", help="A study without a new instance for so long is processed.")]
_Retry = Annotated[float, typer.Option("--retry-s", help="Until a report is sent again; twice as long each time.")]
_Jobs = Annotated[int | None, typer.Option(min=1, show_default=False, help="Cines side by side; as many as help.")]
_Metrics = Annotated[int | None, typer.Option("--metrics-port", help="Serve Prometheus on 127.0.0.1 at this port.")]


@node.callback()
def serve(
    context: typer.Context,
    out: _Out = None,
    peer: _Peers = None,
    ae_title: _Title = "ECHO-RT",
    host: _Host = "127.0.0.1",
    port: _Port = 11112,
    report: _Reports = None,
    quiet_s: _Quiet = 30.0,
    retry_s: _Retry = 30.0,
    model: Model = None,
    device: Device = "auto",
    jobs: _Jobs = None,
    metrics_port: _Metrics = None,
) -> None:
    """Take ultrasound cines over DICOM, and send structured reports and segmentations back.

    \b
    Examples:
      echo-rt node --out node --peer ARCHIVE@10.0.0.5:104 --host 0.0.0.0
      echo-rt node status node
    """
    if context.invoked_subcommand is not None:
        return
    try:
        import pynetdicom  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("echo-rt node", "node") from None
    from echo_rt.node.peers import Peers, check_title, parse_peer
    from echo_rt.node.service import SENT_BACK, NodeOptions
    from echo_rt.outputs.reports import REPORTS, check_reports

    if out is None:
        raise ParameterError("expected --out DIR, found none; name a folder for what arrives")
    if not 0 <= port < 2**16:
        raise ParameterError(f"--port: expected a port from 0 to 65535, found {port}; the usual one is 11112")
    for name, seconds in (("--quiet-s", quiet_s), ("--retry-s", retry_s)):
        if not 0 <= seconds <= 86400:
            raise ParameterError(f"{name}: expected 0 to 86400 seconds, found {seconds}")
    peers = Peers([parse_peer(text) for text in peer or ()])
    kinds = check_reports(filter(None, report.split(",")) if report is not None else filter(REPORTS.get, SENT_BACK))
    options = NodeOptions(check_title(ae_title), host, port, peers, kinds, quiet_s, retry_s, metrics_port)
    run(options, out, model, device, jobs)


def run(options: NodeOptions, out: Path, model: str | None, device: str, jobs: int | None) -> None:
    """Run a node until a signal ends it, and say what it came to."""
    from echo_rt.commands.job import Follow, Opening, Options, default_jobs
    from echo_rt.commands.workers import Workers
    from echo_rt.node.service import Node
    from echo_rt.node.shelf import Shelf

    with ExitStack() as opened:
        shelf = Shelf(out)
        opened.callback(shelf.close)
        opening = Opening(model, device)
        with opening.open():
            pass  # what is wrong with it ends here, before anything is acknowledged
        asked = Options(shelf.results, overlay=False, reports=options.reports)
        workers = opened.enter_context(Workers(jobs or default_jobs(device), opening, Follow(asked)))

        def started(port: int) -> None:
            where = f"{options.host} port {port} as {options.title}"
            if not quiet():
                typer.echo(printable(f"listening on {where}; storing in {out}; Ctrl-C ends it"), err=True)

        made = Node(options, shelf, InWorkers(workers), started)
        with ending.gently(made.stop):
            made.run()
        ending.done()
        typer.echo(f"ended: {_words(shelf.journal.counts())}")


class InWorkers:
    """A `Follower` in processes that are `Workers`."""

    def __init__(self, workers: Workers[Job, Outcome]) -> None:
        self._workers = workers

    def submit(self, number: int, recording: str, folder: str) -> None:
        from echo_rt.commands.job import Job

        self._workers.submit(Job(number, recording, folder))

    def outcomes(self) -> Iterator[Followed]:
        from echo_rt.node.service import Followed
        from echo_rt.refused import Refused

        for job, outcome in self._workers.outcomes():
            if isinstance(outcome, Refused):
                # Whoever reads a log need not know the instance.
                why = outcome.text.removeprefix(f"{job.recording}: ").replace(job.folder, "UID")
                yield Followed(job.number, why, outcome.output)
            else:
                yield Followed(job.number)

    def stop(self) -> None:
        self._workers.stop()


@node.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a node, which may run meanwhile.")],
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say how many instances and reports there are, and what failed."""
    from json import dumps

    from echo_rt.node.journal import Journal

    with closing(Journal(folder, read_only=True)) as journal:
        counts, failures = journal.counts(), journal.failures()
    if json:
        found: dict[str, Any] = dict(zip(("instances", "reports"), counts, strict=True))
        typer.echo(dumps({**found, "failures": [failure._asdict() for failure in failures]}, indent=2))
        return
    typer.echo(_words(counts))
    for failure in failures[:LISTED]:
        typer.echo(printable(f"{failure.number}  {failure.what}  {failure.uid}: {failure.why}"))
    if len(failures) > LISTED:
        typer.echo(f"and {len(failures) - LISTED} more; --json has them")


def _words(counts: tuple[dict[str, int], dict[str, int]]) -> str:
    instances, reports = (", ".join(f"{count} {state}" for state, count in states.items()) for states in counts)
    return f"instances {instances}; reports {reports}"
