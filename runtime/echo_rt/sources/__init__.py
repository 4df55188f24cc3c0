"""Where frames come from: recordings on disk, and the address of everything else.

`open_source` gives a `Source` for any address; `find_recordings` expands what a user typed into single recordings.
Importing this package loads neither pydicom, PyAV nor OpenCV: each is imported by the module that reads with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from echo_rt.sources.base import Recording, Source
from echo_rt.sources.feed import FeedOptions
from echo_rt.sources.opening import is_feed, open_source
from echo_rt.sources.paths import find_recordings

if TYPE_CHECKING:
    from echo_rt.sources.roi import Cut

__all__ = ["Cut", "FeedOptions", "Recording", "Source", "find_recordings", "is_feed", "open_source"]
