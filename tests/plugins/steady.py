"""A property test says what the code does, not how busy the machine is: a slow draw or example is no failure.

The profile holds for every one; what a test states itself (``max_examples``, a health check) goes on top.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")
