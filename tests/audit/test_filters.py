"""What a filter of the audit takes."""

import pytest

from openstackoid.audit.filters import read


@pytest.mark.parametrize(
    "text", ["999999d", "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "soon"]
)
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_that_no_clock_shows_is_an_error_of_the_caller(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected .* got"):
        read({name: text})
