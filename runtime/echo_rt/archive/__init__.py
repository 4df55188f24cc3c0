"""Archives of many recordings: one task a recording, one row a recording, and on from where it stopped.

    listing ──Listed──▶ run ──Work──▶ pool of workers ──Finished──▶ ledger, table, pairs
                         │            fetch, follow, write one document
                         └── what is in RESULTS already is left out

A recording is finished when its document is in RESULTS, whole. The table is made of the documents.

May import the wings, the ground floor and what follows recordings; libraries for stores and tables where they are used.
"""
