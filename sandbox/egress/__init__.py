"""The egress checker (data plane) and ``gate``, the one exit (control plane).

Begin at ``check.check``: it reads (``readers``), recomputes (``recompute``), attacks (``checks``, with
``pii`` and ``ledger``), writes anew (``canonical``) and reports (``report``). ``findings``, ``messages``,
``families`` and ``report`` without its ``facts`` are pure and used by both planes. docs/architecture.md has
the map of rooms, docs/egress.md the contract and every rule.
"""
