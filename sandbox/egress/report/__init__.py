"""What a person reads of a check: ``view`` orders it, ``html`` makes the page, ``pictures`` draws.

``facts`` alone touches rows: it counts what the pictures show, inside the container.
"""
