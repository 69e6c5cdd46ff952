"""Lists by due date and by last change are read from an index, not sorted from the rows."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_resource_by_due": ["kind", "due_at", "id"],
    "ix_resource_by_state_due": ["kind", "state", "due_at", "id"],
    "ix_resource_by_change": ["kind", "changed_at", "id"],
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, "resource", columns)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="resource")
