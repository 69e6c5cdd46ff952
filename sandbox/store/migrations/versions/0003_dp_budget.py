"""What a budget of differential privacy has spent only grows, by what a charge says, up to its cap (R-134).

The rows are resources of kind ``dp-budget``; the sums stand in their status. The triggers refuse an opening
that is not empty, a change that is no charge, a sum above the cap of that charge, any change of an
answer (``dp-release``) that is sealed or lost, and of what any answer says that it is for and costs.
Deleting a resource is refused since 0001.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SUMS = ("nano_rho", "delta_e15")
REFUSED = "dp: the budget only grows, by its charges, up to its cap; a sealed answer stays"


def _number(row: str, path: str) -> str:
    """A whole number out of the status of ``row`` (NEW or OLD), for the database at hand."""
    if op.get_bind().dialect.name == "postgresql":
        return f"({row}.status #>> '{{{path.replace('.', ',')}}}')::numeric"
    return f"json_extract({row}.status, '$.{path}')"


def _empty() -> str:
    return " AND ".join(f"{_number('NEW', f'budget.{name}')} = 0" for name in SUMS)


def _charge() -> str:
    parts = ["NEW.kind = OLD.kind", "NEW.id = OLD.id", "NEW.version = OLD.version + 1"]
    parts.append(f"{_number('NEW', 'budget.delta_bound')} <= {_number('OLD', 'budget.delta_bound')}")
    parts.append(f"{_number('NEW', 'budget.charges')} = {_number('OLD', 'budget.charges')} + 1")
    for name in SUMS:
        new, cost = _number("NEW", f"budget.{name}"), _number("NEW", f"charge.{name}")
        parts.append(f"{cost} >= 0 AND {new} = {_number('OLD', f'budget.{name}')} + {cost}")
        parts.append(f"{new} <= {_number('NEW', f'budget.cap_{name}')}")
    return " AND ".join(parts)


def _rules() -> tuple[tuple[str, str, str], ...]:
    """(name, event, what must not be); a number that is missing counts as a refusal."""
    no = "false" if op.get_bind().dialect.name == "postgresql" else "0"
    touched = "'dp-budget' IN (OLD.kind, NEW.kind)"
    text = "::text" if op.get_bind().dialect.name == "postgresql" else ""
    kept = "OLD.state = 'charged' AND NEW.kind = OLD.kind AND NEW.id = OLD.id "
    kept += f"AND NEW.spec{text} = OLD.spec{text}"
    return (
        ("dp_budget_open", "INSERT", f"NEW.kind = 'dp-budget' AND NOT COALESCE({_empty()}, {no})"),
        ("dp_budget_charge", "UPDATE", f"{touched} AND NOT COALESCE({_charge()}, {no})"),
        (
            "dp_release_sealed",
            "UPDATE",
            f"'dp-release' IN (OLD.kind, NEW.kind) AND NOT COALESCE({kept}, {no})",
        ),
    )


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION sandbox_dp_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
        )
        for name, event, wrong in _rules():
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON resource FOR EACH ROW "
                f"WHEN ({wrong}) EXECUTE FUNCTION sandbox_dp_refuse()"
            )
        return
    # INSERT OR REPLACE would delete without firing the trigger that refuses a DELETE
    replaced = (
        "dp_replace",
        "INSERT",
        "NEW.kind IN ('dp-budget', 'dp-release') "
        "AND EXISTS (SELECT 1 FROM resource WHERE kind = NEW.kind AND id = NEW.id)",
    )
    for name, event, wrong in (*_rules(), replaced):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON resource WHEN {wrong} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        )


def downgrade() -> None:
    names = [name for name, _, _ in _rules()]
    if op.get_bind().dialect.name == "postgresql":
        for name in names:
            op.execute(f"DROP TRIGGER {name} ON resource")
        op.execute("DROP FUNCTION sandbox_dp_refuse()")
        return
    for name in (*names, "dp_replace"):
        op.execute(f"DROP TRIGGER {name}")
