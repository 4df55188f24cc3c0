"""What Prometheus asks for: counts from the journal, and of what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from echo_rt.errors import OutputError
from echo_rt.node.journal import Journal
from echo_rt.node.log import Log

HOST = "127.0.0.1"


class _Counts(Collector):
    def __init__(self, journal: Journal, log: Log) -> None:
        self._journal, self._log = journal, log

    def collect(self) -> Iterator[Any]:
        for name, states in zip(("instances", "reports"), self._journal.counts(), strict=True):
            family = GaugeMetricFamily(f"echo_rt_node_{name}", f"{name} by state", labels=["state"])
            for state, count in states.items():
                family.add_metric([state], count)
            yield family
        refused = CounterMetricFamily("echo_rt_node_refused", "refused since the start, by why", labels=["why"])
        for why, count in self._log.refusals().items():
            refused.add_metric([why], count)
        yield refused


def serve_metrics(port: int, journal: Journal, log: Log) -> Callable[[], None]:
    """Serve them to this machine at /metrics; returns what ends that.

    Raises:
        OutputError: it cannot listen there.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counts(journal, log))
    try:
        server, thread = start_http_server(port, HOST, registry)
    except (OSError, OverflowError) as error:
        found = f"found: {getattr(error, 'strerror', None) or error}"
        raise OutputError(f"expected to listen on {HOST} port {port}, {found}; choose another --metrics-port") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
