"""Sandbox: the runtime of an authorisation operating space (授权运营空间)."""

__version__ = "0.1.0"
