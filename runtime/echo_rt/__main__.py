"""``python -m echo_rt`` is ``echo-rt``; launchers such as ``torchrun`` want a module."""

from echo_rt.commands.app import main

main()
