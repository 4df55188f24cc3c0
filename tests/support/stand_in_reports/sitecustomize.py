"""Reports for the tests of the node, in every process that has this folder in PYTHONPATH.

`sr` where this release has none: a small Enhanced SR. `poison`: ends the process of a cine that is marked.
"""

from __future__ import annotations

from support import stand_in_report

stand_in_report.register()
