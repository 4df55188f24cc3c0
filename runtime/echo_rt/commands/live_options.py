"""What `echo-rt live` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from echo_rt.commands.patient import check_whole
from echo_rt.errors import ParameterError

if TYPE_CHECKING:
    from echo_rt.measures import Body
    from echo_rt.sources import FeedOptions


@dataclass(frozen=True)
class ViewOptions:
    """See `open_viewer`."""

    kind: str
    host: str
    port: int
    token: str | None


@dataclass(frozen=True)
class ScreenOptions:
    """What of a screen is looked at, what is kept beside it, and whether ruler and ECG on it are read."""

    roi: str = "auto"
    keep: bool = False
    read: bool = True


@dataclass(frozen=True)
class IgtlOptions:
    """Where mask and EF go over OpenIGTLink: a port to listen on, a receiver to dial, whether the picture goes too."""

    out: int | None = None
    to: str | None = None
    picture: bool = False

    def __post_init__(self) -> None:
        if self.picture and self.out is None and self.to is None:
            raise ParameterError("--igtl-picture: expected --igtl-out or --igtl-to with it, found neither; add one")


@dataclass(frozen=True)
class LiveOptions:
    """What `echo-rt live` was asked for, as in its help. `camera` is size, rate and pixel format."""

    source: str
    model: str | None
    device: str
    view: ViewOptions
    record: Path | None
    igtl: IgtlOptions
    realtime: bool
    camera: FeedOptions
    ef_method: str
    forget_after_s: float | None
    screen: ScreenOptions = ScreenOptions()
    body: Body | None = None

    @property
    def snapshots(self) -> Path:
        """The folder that snapshots go to."""
        return self.record or Path("snapshots")

    def of_feed(self, name: str, source: str, place: int) -> LiveOptions:
        """The options of one of several feeds: its own folder below the one that was asked for, and a port of its own.

        Args:
            name, source: of the feed.
            place: from 0.
        """
        record = None if self.record is None else self.record / name
        port = None if self.igtl.out is None else self.igtl.out + place
        return replace(self, source=source, record=record, igtl=replace(self.igtl, out=port))

    def __post_init__(self) -> None:
        from echo_rt.viewer import VIEWS

        if self.view.kind not in VIEWS:
            raise ParameterError(f"--view: expected {', '.join(VIEWS)}, found {self.view.kind!r}")
        if self.forget_after_s is not None and not self.forget_after_s > 0:
            raise ParameterError(
                f"--forget-after: expected a positive number of seconds, found {self.forget_after_s:g}"
            )
        check_whole(self.body)
