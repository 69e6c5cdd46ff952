"""Who may come in by the console: passwords, sessions, failed attempts, links; tokens get a scope.

None of these tables is append-only: what is told of them for good stands in the audit log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TABLES = ("password", "session", "attempt", "account_link")


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f(f"fk_{table}_account"))


def upgrade() -> None:
    op.add_column("token", sa.Column("scope", sa.String(16), nullable=False, server_default="decide"))
    op.create_table(
        "password",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(400), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("changed_at", TIME, nullable=False),
        _of_account("password"),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_password")),
    )
    op.create_table(
        "session",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("acting", sa.String(401), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("stepped_up_at", TIME),
        _of_account("session"),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_session")),
    )
    op.create_index("ix_session_account", "session", ["account"])
    op.create_index("ix_session_seen", "session", ["seen_at"])
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_key", "attempt", ["key", "at"])
    op.create_index("ix_attempt_at", "attempt", ["at"])
    op.create_table(
        "account_link",
        sa.Column("issuer", sa.String(400), nullable=False),
        sa.Column("sub", sa.String(400), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        _of_account("account_link"),
        sa.PrimaryKeyConstraint("issuer", "sub", name=op.f("pk_account_link")),
    )


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)
    op.drop_column("token", "scope")
