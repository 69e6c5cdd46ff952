"""What a test says depends on the code alone, not on how busy the machine is or on this run's luck.

The profile holds for every property test: drawn examples are the same in each run, a slow one is no
failure. What a test states itself (``max_examples``, a health check) goes on top of it.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")
