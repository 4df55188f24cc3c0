"""Sources: recordings on disk, live feeds, and the address of each; `open_source` gives a `Source` for any address.

May import the ground floor; pydicom, PyAV, OpenCV and the phantom are imported by the module that opens them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from echo_rt.sources.base import Recording, Source
from echo_rt.sources.feed import FeedOptions
from echo_rt.sources.opening import is_feed, open_source
from echo_rt.sources.paths import find_recordings

if TYPE_CHECKING:
    from echo_rt.sources.screen.roi import Cut

__all__ = ["Cut", "FeedOptions", "Recording", "Source", "find_recordings", "is_feed", "open_source"]
