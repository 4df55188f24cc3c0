"""`echo-rt node` with a stand-in for the engine, in a process of its own.

PYTHONPATH=tests python -m support.node_program FOLDER PORT PEER
"""

from __future__ import annotations

import sys
from pathlib import Path

from echo_rt.commands.ending import ending


def main() -> None:
    ending.watch()
    ending.work()
    from echo_rt.node.peers import Peers, parse_peer
    from echo_rt.node.service import Node, NodeOptions
    from echo_rt.node.shelf import Shelf
    from support.stand_in_follower import StandInFollower
    from support.stand_in_report import register

    register()
    folder, port, peer = Path(sys.argv[1]), int(sys.argv[2]), parse_peer(sys.argv[3])
    shelf = Shelf(folder)
    options = NodeOptions("ECHO-RT", "127.0.0.1", port, Peers([peer]), ("sr",), quiet_s=0.2, retry_s=0.2)
    node = Node(options, shelf, StandInFollower(shelf.results, wait_s=0.02))
    with ending.gently(node.stop):
        node.run()
    shelf.close()
    ending.done()
    ending.leave(ending.status(0))


if __name__ == "__main__":
    main()
