"""The tables. Facts only: the durable engine's tables stand elsewhere and may be thrown away.

``resource`` holds the present version of each resource and is the row that compare-and-set works on;
``resource_version`` holds every version and, like ``audit``, ``audit_purged`` and ``checkpoint``, refuses
UPDATE and DELETE by trigger (see the migrations). One change is let through: the body of an audit entry
that ``audit_purged`` names may become empty.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from sandbox.store.types import Counter, UTCDateTime

# Lengths in characters, checked before PostgreSQL would refuse them
MAX_NAME = 200
MAX_VALUE = 400
MAX_REF = 2 * MAX_NAME + 1

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON, the bytes that are hashed
    Column("leaf", LargeBinary, nullable=False),
    Column("object", String(MAX_REF), nullable=False),  # taken from the body, for look-ups
    Index("ix_audit_object", "object", "seq"),
)

audit_purged = Table(
    "audit_purged",
    metadata,
    Column("seq", Counter, ForeignKey("audit.seq"), primary_key=True, autoincrement=False),
    Column("entry", Counter, ForeignKey("audit.seq"), nullable=False),  # the audit entry that tells of it
    CheckConstraint("entry > seq", name="later"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=False),
    Column("origin", String(MAX_NAME), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("size", Counter, nullable=False),
    Column("hashes", LargeBinary, nullable=False),  # compact range
    CheckConstraint("id = 1", name="one_row"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", Counter, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("key", String(400), nullable=False),  # the verifier key; old ones stay when the key changes
)

resource = Table(
    "resource",
    metadata,
    Column("kind", String(MAX_NAME), primary_key=True),
    Column("id", String(MAX_NAME), primary_key=True),
    Column("organisation", String(MAX_NAME), nullable=False),
    Column("state", String(MAX_NAME), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("status", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("version", Counter, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("due_at", UTCDateTime),
    Column("overdue", Boolean, nullable=False),
    CheckConstraint("version >= 1", name="version"),
    Index("ix_resource_order", "kind", "created_at", "id"),
    Index("ix_resource_organisation", "kind", "organisation", "created_at", "id"),
    Index("ix_resource_state", "kind", "state", "created_at", "id"),
    Index("ix_resource_due", "overdue", "due_at"),
    # lists by their clocks; the long columns stand before these in a row, so an index saves reading them
    Index("ix_resource_by_due", "kind", "due_at", "id"),
    Index("ix_resource_by_state_due", "kind", "state", "due_at", "id"),
    Index("ix_resource_by_change", "kind", "changed_at", "id"),
)

resource_version = Table(
    "resource_version",
    metadata,
    Column("kind", String(MAX_NAME), primary_key=True),
    Column("id", String(MAX_NAME), primary_key=True),
    Column("version", Counter, primary_key=True, autoincrement=False),
    Column("organisation", String(MAX_NAME), nullable=False),
    Column("state", String(MAX_NAME), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("status", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("due_at", UTCDateTime),
    Column("overdue", Boolean, nullable=False),
    Column("entry", Counter, ForeignKey("audit.seq"), nullable=False),  # the audit entry that tells of it
    ForeignKeyConstraint(["kind", "id"], ["resource.kind", "resource.id"]),
)

label = Table(
    "label",
    metadata,
    Column("kind", String(MAX_NAME), primary_key=True),
    Column("id", String(MAX_NAME), primary_key=True),
    Column("key", String(MAX_NAME), primary_key=True),
    Column("value", String(MAX_VALUE), nullable=False),
    ForeignKeyConstraint(["kind", "id"], ["resource.kind", "resource.id"]),
    Index("ix_label_look_up", "kind", "key", "value", "id"),
)

account = Table(
    "account",
    metadata,
    Column("id", String(MAX_NAME), primary_key=True),
    Column("name", String(MAX_NAME), nullable=False),
    Column("person", String(MAX_NAME), nullable=False),  # the natural person, for separation of duty
    Column("disabled", Boolean, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("account", String(MAX_NAME), ForeignKey("account.id"), primary_key=True),
    Column("organisation", String(MAX_NAME), primary_key=True),
    Column("role", String(MAX_NAME), primary_key=True),
)

token = Table(
    "token",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("account", String(MAX_NAME), ForeignKey("account.id"), nullable=False),
    Column("name", String(MAX_NAME), nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("scope", String(16), nullable=False, server_default="decide"),  # read, act, decide
    Index("ix_token_account", "account", "name"),
)

password = Table(
    "password",
    metadata,
    Column("account", String(MAX_NAME), ForeignKey("account.id"), primary_key=True),
    Column("hash", String(MAX_VALUE), nullable=False),  # argon2id, with its parameters and salt
    Column("must_change", Boolean, nullable=False),
    Column("expires_at", UTCDateTime),
    Column("changed_at", UTCDateTime, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("account", String(MAX_NAME), ForeignKey("account.id"), nullable=False),
    Column("acting", String(MAX_REF), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("method", String(16), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("seen_at", UTCDateTime, nullable=False),
    Column("stepped_up_at", UTCDateTime),
    Index("ix_session_account", "account"),
    Index("ix_session_seen", "seen_at"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key", String(64), nullable=False),  # a keyed hash: people type passwords where names belong
    Column("at", UTCDateTime, nullable=False),
    Index("ix_attempt_key", "key", "at"),
    Index("ix_attempt_at", "at"),
)

account_link = Table(
    "account_link",
    metadata,
    Column("issuer", String(MAX_VALUE), primary_key=True),
    Column("sub", String(MAX_VALUE), primary_key=True),
    Column("account", String(MAX_NAME), ForeignKey("account.id"), nullable=False),
)

node = Table(
    "node",
    metadata,
    Column("id", String(MAX_NAME), primary_key=True),
    Column("boot_id", String(MAX_NAME), nullable=False),
    Column("heartbeat_at", UTCDateTime, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account", String(MAX_NAME), primary_key=True),
    Column("key", String(MAX_NAME), primary_key=True),
    Column("request", String(64), nullable=False),  # SHA-256 of the request that the key stands for
    Column("response", JSON, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)
