"""The first tables, and the triggers that make history append-only.

``audit``, ``resource_version`` and ``checkpoint`` refuse UPDATE and DELETE (PostgreSQL: TRUNCATE too),
``resource`` refuses DELETE: there is no way back through SQL that the application's own role could
take by mistake. Whoever owns the database can drop a trigger; that shows in the Merkle tree.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
GUARDED = {  # table -> what it refuses
    "audit": ("UPDATE", "DELETE", "TRUNCATE"),
    "resource_version": ("UPDATE", "DELETE", "TRUNCATE"),
    "checkpoint": ("UPDATE", "DELETE", "TRUNCATE"),
    "resource": ("DELETE", "TRUNCATE"),
}


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION sandbox_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'append only: % on %', TG_OP, TG_TABLE_NAME; END $$"
    )
    for table, refused in GUARDED.items():
        events = " OR ".join(refused)
        op.execute(
            f"CREATE TRIGGER append_only BEFORE {events} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION sandbox_append_only()"
        )


def _guard_sqlite() -> None:
    for table, refused in GUARDED.items():
        for what in refused:
            if what != "TRUNCATE":  # SQLite has none
                op.execute(
                    f"CREATE TRIGGER append_only_{table}_{what.lower()} BEFORE {what} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, 'append only: {what} on {table}'); END"
                )
    # INSERT OR REPLACE would delete without firing the trigger above
    op.execute(
        "CREATE TRIGGER append_only_audit_replace BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'append only: REPLACE on audit'); END"
    )


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", COUNTER, autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("object", sa.String(length=401), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_object", "audit", ["object", "seq"])

    op.create_table(
        "audit_head",
        sa.Column("id", COUNTER, autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("size", COUNTER, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", COUNTER, autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "idempotency",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("response", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "node",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("boot_id", sa.String(length=200), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
    )
    op.create_table(
        "resource",
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("organisation", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("version", COUNTER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_resource_version")),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_resource")),
    )
    op.create_index("ix_resource_due", "resource", ["overdue", "due_at"])
    op.create_index("ix_resource_order", "resource", ["kind", "created_at", "id"])
    op.create_index("ix_resource_organisation", "resource", ["kind", "organisation", "created_at", "id"])
    op.create_index("ix_resource_state", "resource", ["kind", "state", "created_at", "id"])

    op.create_table(
        "label",
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind", "id"], ["resource.kind", "resource.id"], name=op.f("fk_label_kind_id")
        ),
        sa.PrimaryKeyConstraint("kind", "id", "key", name=op.f("pk_label")),
    )
    op.create_index("ix_label_look_up", "label", ["kind", "key", "value", "id"])

    op.create_table(
        "membership",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("organisation", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_membership_account")),
        sa.PrimaryKeyConstraint("account", "organisation", "role", name=op.f("pk_membership")),
    )
    op.create_table(
        "resource_version",
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("version", COUNTER, autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("entry", COUNTER, nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["audit.seq"], name=op.f("fk_resource_version_entry")),
        sa.ForeignKeyConstraint(
            ["kind", "id"], ["resource.kind", "resource.id"], name=op.f("fk_resource_version_kind_id")
        ),
        sa.PrimaryKeyConstraint("kind", "id", "version", name=op.f("pk_resource_version")),
    )
    op.create_table(
        "token",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_token_account")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_token")),
    )
    op.create_index("ix_token_account", "token", ["account", "name"])

    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    op.drop_table("token")
    op.drop_table("resource_version")
    op.drop_table("membership")
    op.drop_table("label")
    op.drop_table("resource")
    op.drop_table("node")
    op.drop_table("idempotency")
    op.drop_table("checkpoint")
    op.drop_table("audit_head")
    op.drop_table("audit")
    op.drop_table("account")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION sandbox_append_only()")
