"""From data to weights, and how good they are."""

import echo_rt  # noqa: F401 - first of all: it switches off the telemetry of what is imported next
