"""The registry: every parameter a profile has, once. A key that is not here does not load."""

from sandbox.policy.parameter import Parameter
from sandbox.policy.parameters import authorising, engineering, running

PARAMETERS: dict[str, Parameter] = {
    row.key: row for row in (*authorising.ROWS, *running.ROWS, *engineering.ROWS)
}
