"""Who may come in: passwords, sessions, an identity provider, limits on guessing (docs/adr/0022)."""

from sandbox.control.identity.service import Identity
from sandbox.control.identity.sessions import Grant, Session

__all__ = ["Grant", "Identity", "Session"]
