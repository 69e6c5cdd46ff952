"""Where each page is explained: the guide of whoever looks at it, at the section about the page."""

from __future__ import annotations

from sandbox.core.actor import Role

# the guides in the order in which the work goes through the space
GUIDES = ("administrator", "provider", "authority", "operator", "developer", "reviewer", "auditor")
OWN: dict[Role, str] = {
    Role.REVIEWER: "reviewer",
    Role.IMPLEMENTING_BODY: "authority",
    Role.DATA_AUTHORITY: "authority",
    Role.SECTOR_AUTHORITY: "authority",
    Role.PROVIDER: "provider",
    Role.CONNECTOR: "provider",
    Role.OPERATOR: "operator",
    Role.DEVELOPER: "developer",
    Role.EXPERT: "authority",
    Role.AUDITOR: "auditor",
    Role.SPACE_ADMIN: "administrator",
}
INSIDE = "part-console"  # the section of each guide about the console

# begin of the path below /console, who looks -> document and section; the first that fits counts
SECTIONS: tuple[tuple[str, Role | None, str], ...] = (
    ("/review/", Role.REVIEWER, "reviewer#part-3"),
    ("/review", Role.REVIEWER, "reviewer#part-1"),
    ("/develop/job", Role.DEVELOPER, "developer#part-2"),
    ("/develop", Role.DEVELOPER, "developer#part-3"),
    ("/release/", Role.DEVELOPER, "developer#part-4"),
    ("/operate/exit", Role.OPERATOR, "operator#part-5"),
    ("/operate", Role.OPERATOR, "operator#part-3"),
    ("/audit", Role.AUDITOR, "auditor#part-2"),
    ("/r/scenario", Role.DEVELOPER, "developer#part-1"),
    ("/r/job", Role.DEVELOPER, "developer#part-2"),
    ("/r/agreement", Role.IMPLEMENTING_BODY, "authority#part-1"),
    ("/r/agreement", Role.DATA_AUTHORITY, "authority#part-1"),
    ("/r/scenario", Role.IMPLEMENTING_BODY, "authority#part-2"),
    ("/r/scenario", Role.DATA_AUTHORITY, "authority#part-2"),
    ("/r/catalogue-entry", Role.PROVIDER, "provider#part-1"),
    ("/r/scenario", Role.PROVIDER, "provider#part-3"),
    ("/password", None, "identity"),
    ("/step-up", None, "identity"),
    ("/choose", None, "identity"),
)
KIND = "/r/"


def own(role: Role) -> str:
    """The guide of a role."""
    return OWN[role]


def explained(path: str, role: Role) -> str:
    """Where in the help a page is explained; ``path`` as in the address, with ``/console``.

    Lists and resources that no guide has a section on are explained by their kind's lifecycle.
    """
    below = path.removeprefix("/console")
    for start, who, place in SECTIONS:
        if below.startswith(start) and who in (None, role):
            return f"/console/help/{place}"
    if below.startswith(KIND):
        return f"/console/help/lifecycles#{below.removeprefix(KIND).split('/')[0]}"
    return f"/console/help/{own(role)}#{INSIDE}"
