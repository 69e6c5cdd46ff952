"""Dummy data (模拟数据): tables made from catalogue metadata and the job's own text, never from a row of
data.

``tables.build`` makes them, ``task`` is their room in a container, ``sandbox job try`` uses it. Decisions:
docs/adr/0021.
"""
