"""Files that lie, are damaged or are bombs, and what echo-rt makes of them.

A mutator is a module ``mutate_*.py`` here, see `harness.Mutator`. `make test` replays its corpus and some seeds;
`make fuzz SECONDS=600` goes on from a seed drawn at random.
"""
