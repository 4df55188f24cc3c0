"""The program: ``python -m echo_rt`` is ``echo-rt``. It heeds signals before it imports what takes time."""

from echo_rt.commands.ending import ending


def main() -> None:
    """Run the command line; the process ends with its status."""
    ending.watch()
    from echo_rt.commands.app import main as run

    try:
        run()
    except SystemExit as end:
        ending.leave(int(end.code or 0))


if __name__ == "__main__":
    main()
