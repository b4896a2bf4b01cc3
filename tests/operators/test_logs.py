"""Lines of services on standard error: time and level, as text or JSON."""

import json
import logging
import re
from collections.abc import Iterator

import pytest

from openstackoid import logs
from openstackoid.core.errors import ConfigError

TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ"
LOG = logging.getLogger("openstackoid.test")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Logging is the process's: give it back as it was."""
    root, ours = logging.getLogger(), logging.getLogger("openstackoid")
    before = (list(root.handlers), root.level, ours.level)
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def test_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    logs.configure()
    LOG.info("%s: serving at %s", "CloudOne", "10.0.0.2:9292")
    logging.getLogger("another.library").info("nobody wants to read this")
    logging.getLogger("another.library").warning("but this")
    one, two = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"{TIME} INFO CloudOne: serving at 10\.0\.0\.2:9292", one)
    assert re.fullmatch(rf"{TIME} WARNING but this", two)


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    logs.configure()
    LOG.error('a "quote",\na second line, and %s', "\x1b[2J")
    try:
        raise ValueError("why")  # noqa: TRY301 - to have a traceback
    except ValueError:
        LOG.exception("it failed")
    one, two = map(json.loads, capsys.readouterr().err.splitlines())
    assert re.fullmatch(TIME, one.pop("time"))
    assert one == {
        "level": "ERROR",
        "logger": "openstackoid.test",
        "message": 'a "quote",\na second line, and \x1b[2J',
    }
    assert "ValueError: why" in two["exception"]


def test_no_such_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, "xml")
    with pytest.raises(ConfigError, match="expected text or json, got 'xml'"):
        logs.configure()
