"""From data to weights (`echo-rt train`), how good they are (`evaluate`), and what they look at (`explain`).

May import `echo_rt` and `echo_rt_network`, never `echo_rt_export`.
"""

import echo_rt  # noqa: F401 - first of all: it switches off the telemetry of what is imported next
