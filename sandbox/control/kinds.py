"""All kinds of resources there are. Adding a kind is its file and one line here."""

from sandbox.authorisation import agreement, dp_budget, organisation, scenario
from sandbox.catalog import entry, negative
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Kind
from sandbox.incident import rectification
from sandbox.operation import dp_release, job, reidentification, supply
from sandbox.registry import product
from sandbox.review import egress_request

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (
        organisation,
        entry,
        negative,
        agreement,
        scenario,
        supply,
        dp_budget,
        dp_release,
        job,
        egress_request,
        product,
        reidentification,
        rectification,
    )
}


def kind_of(name: str) -> Kind:
    """The kind called ``name``; NOT_FOUND if there is none."""
    if name not in KINDS:
        raise fail("NOT_FOUND", kind="kind", id=name)
    return KINDS[name]
