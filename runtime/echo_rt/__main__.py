"""``python -m echo_rt`` is ``echo-rt``; launchers such as ``torchrun`` want a module."""

from echo_rt.cli import main

main()
