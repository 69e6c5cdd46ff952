"""The one entry inside a container: ``python3 -m sandbox.task`` (data plane).

Imports nothing, for a container imports this before it can say that it is ready.
"""
