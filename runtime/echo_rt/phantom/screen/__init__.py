"""A scanner's whole screen, drawn around the pictures of the phantom, with what a user sees on one.

`Screen` draws the frames of one `Layout`. May import the ground floor and the rest of the phantom.
"""

from __future__ import annotations

from echo_rt.phantom.screen.placed import Placed

__all__ = ["Placed"]
