"""Policy profiles: what each jurisdiction's instrument says, as values with their source. Pure.

``load_profile("guizhou").get("agreement.max_term_years")`` is how everything else asks.
"""

from sandbox.policy.load import load_calendar, load_profile, profile_names
from sandbox.policy.model import Profile

__all__ = ["Profile", "load_calendar", "load_profile", "profile_names"]
