"""Recomputes from the raw data what a job declares or its SQL says; ``tables`` is the place to begin."""
