"""Runs tasks in containers. `contract` says what a task and its outcome are; the rest keeps the promise."""
