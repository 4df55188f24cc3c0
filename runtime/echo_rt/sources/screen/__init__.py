"""A scanner's whole screen as it was recorded: where the ultrasound lies on it, and what stands beside it.

`look` finds it in a recording, `SectorCut` in a feed. May import the ground floor and what sources have in common.
"""

from __future__ import annotations
