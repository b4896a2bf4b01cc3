"""What holds for all tests: none fails because the machine is busy."""

from pathlib import Path

from tests.volume import volume


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Load Hypothesis' settings before a file that uses it is imported. For other files it is not, which takes a third of pytest's start."""
    if b"hypothesis" not in module_path.read_bytes():
        return
    from hypothesis import HealthCheck, settings  # noqa: PLC0415 - see above

    settings.register_profile(
        "busy", max_examples=volume(200), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("busy")
