"""`make test-arm64`: the runtime on an emulated ARM64 processor, held against this machine's results."""
