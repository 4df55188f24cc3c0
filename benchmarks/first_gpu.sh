#!/usr/bin/env bash
# All that is to be known on a machine with an NVIDIA GPU, in 8 minutes and in one JSON.
#
#   benchmarks/first_gpu.sh [OUT.json]       default: build/first_gpu.json; LIMIT_S=480 moves the time, PYTHON names one
#
# It needs the tree, a Python with numpy, opencv-python, onnxruntime, pydicom, av, pytest and pytest-timeout, and of the
# extra tensorrt what there is. Where echo-rt is not installed, the tree itself is run. A step that cannot run or fails
# is in the JSON with its reason, and the others go on. Without a GPU each says so: that is a whole run too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-}
if [ -z "$python" ]; then
  python=python3
  [ ! -x .venv/bin/python ] || python=.venv/bin/python
fi
"$python" -c 'import echo_rt' 2>/dev/null || export PYTHONPATH="$PWD/runtime:$PWD/network:$PWD/export${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" benchmarks/first_gpu.py "${1:-build/first_gpu.json}" --limit "${LIMIT_S:-480}"
