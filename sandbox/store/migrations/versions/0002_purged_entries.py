"""Audit entries may lose their payload when their time is over (R-193), and in no other way.

``audit_purged`` names them and the entry that tells of it; it is append-only like the log. The trigger on
``audit`` lets exactly one change through: an empty body for an entry that is named there, all else equal.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PURGE = (
    "length(NEW.body) = 0 AND NEW.seq = OLD.seq AND NEW.leaf = OLD.leaf AND NEW.object = OLD.object "
    "AND EXISTS (SELECT 1 FROM audit_purged WHERE audit_purged.seq = OLD.seq)"
)
REFUSE = "RAISE EXCEPTION 'append only: % on %', TG_OP, TG_TABLE_NAME;"


def _postgresql() -> None:
    # NEW and OLD are there for a row only, and the one trigger by row is the one on audit
    op.execute(
        "CREATE OR REPLACE FUNCTION sandbox_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF TG_LEVEL = 'ROW' THEN IF {PURGE} THEN RETURN NEW; END IF; END IF; {REFUSE} END $$"
    )
    op.execute("DROP TRIGGER append_only ON audit")
    for name, events, table, level in (
        ("append_only", "DELETE OR TRUNCATE", "audit", "STATEMENT"),
        ("append_only_body", "UPDATE", "audit", "ROW"),
        ("append_only", "UPDATE OR DELETE OR TRUNCATE", "audit_purged", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {events} ON {table} "
            f"FOR EACH {level} EXECUTE FUNCTION sandbox_append_only()"
        )


def _sqlite() -> None:
    op.execute("DROP TRIGGER append_only_audit_update")
    op.execute(
        f"CREATE TRIGGER append_only_audit_update BEFORE UPDATE ON audit WHEN NOT ({PURGE}) "
        "BEGIN SELECT RAISE(ABORT, 'append only: UPDATE on audit'); END"
    )
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER append_only_audit_purged_{what.lower()} BEFORE {what} ON audit_purged "
            f"BEGIN SELECT RAISE(ABORT, 'append only: {what} on audit_purged'); END"
        )
    op.execute(
        "CREATE TRIGGER append_only_audit_purged_replace BEFORE INSERT ON audit_purged "
        "WHEN EXISTS (SELECT 1 FROM audit_purged WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'append only: REPLACE on audit_purged'); END"
    )


def upgrade() -> None:
    op.create_table(
        "audit_purged",
        sa.Column("seq", COUNTER, autoincrement=False, nullable=False),
        sa.Column("entry", COUNTER, nullable=False),
        sa.CheckConstraint("entry > seq", name=op.f("ck_audit_purged_later")),
        sa.ForeignKeyConstraint(["seq"], ["audit.seq"], name=op.f("fk_audit_purged_seq")),
        sa.ForeignKeyConstraint(["entry"], ["audit.seq"], name=op.f("fk_audit_purged_entry")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_purged")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("audit_purged")
        op.execute("DROP TRIGGER append_only_body ON audit")
        op.execute("DROP TRIGGER append_only ON audit")
        op.execute(
            "CREATE OR REPLACE FUNCTION sandbox_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {REFUSE} END $$"
        )
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION sandbox_append_only()"
        )
        return
    op.execute("DROP TRIGGER append_only_audit_update")
    op.execute(
        "CREATE TRIGGER append_only_audit_update BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'append only: UPDATE on audit'); END"
    )
    op.drop_table("audit_purged")
