"""What holds for all tests: none fails because the machine is busy."""

from hypothesis import HealthCheck, settings
from tests.volume import volume

settings.register_profile("busy", max_examples=volume(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
