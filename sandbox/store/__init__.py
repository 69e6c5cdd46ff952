"""The metadata store: resources, accounts and the audit log, on SQLite or PostgreSQL."""

from sandbox.store.identity import Link, Password, SessionRow
from sandbox.store.reader import Reader
from sandbox.store.rows import Account, Membership, Node, TokenInfo
from sandbox.store.store import Store
from sandbox.store.writer import Writer

__all__ = [
    "Account",
    "Link",
    "Membership",
    "Node",
    "Password",
    "Reader",
    "SessionRow",
    "Store",
    "TokenInfo",
    "Writer",
]
