"""The panels are readable in Horizon's own theme and in the dark one of the package: text, and what they draw."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from tests.dashboard.desk import Desk
from tests.dashboard.watching import Visit
from tests.regions.planes import terms

from openstackoid.lab import dashboard, environment
from openstackoid.lab.environment import default_cache

# Static files are compiled for the theme with which Horizon begins.
SETTINGS: Final[dict[str, Any]] = {
    "AVAILABLE_THEMES": [
        ("default", "Default", "themes/default"),
        ("dark", "Dark", "../openstackoid_dashboard/themes/dark"),
    ],
    "DEFAULT_THEME": "dark",
}
COMPILE: Final = """
import django; django.setup()
from django.contrib.staticfiles import finders
from horizon.utils.scss_filter import ScssFilter
print(ScssFilter("", filename=finders.find("dashboard/scss/themes.scss")).input())
"""
# Of drawings: axe-core looks at no text in SVG.
DRAWN: Final = """() => {
  const numbers = color => (color.match(/[\\d.]+/g) || []).map(Number);
  const luminance = color => numbers(color).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = element => {
    const color = getComputedStyle(element).backgroundColor;
    return numbers(color)[3] === 0 && element.parentElement ? ground(element.parentElement) : color;
  };
  return [...document.querySelectorAll("#content_body svg text")].map(text => {
    const [low, high] = [luminance(getComputedStyle(text).fill), luminance(ground(text))].sort((a, b) => a - b);
    return [text.textContent.trim(), (high + 0.05) / (low + 0.05)];
  });
}"""
ENOUGH: Final = 4.5  # WCAG 2.2, 1.4.3


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The style sheet of the dark theme, as Horizon compiles it: once for what it is made from, since that takes long."""
    home = dashboard.ensure(default_cache(), print)

    def make(made: environment.Environment) -> None:
        made.path.mkdir()
        (made.path / "dark.css").write_text(compiled(home, tmp_path_factory.mktemp("dark")))

    # The name of Horizon's environment has the digest of all that is installed there, and that is the theme, too.
    digest = hashlib.sha256(f"{home.path.name} {SETTINGS} {COMPILE}".encode()).hexdigest()[:12]
    return (environment.made_once(default_cache() / f"dark-theme-{digest}", make).path / "dark.css").read_text()


def compiled(home: environment.Environment, folder: Path) -> str:
    dashboard.write_settings(folder, dashboard.shared(home) | SETTINGS | {"SECRET_KEY": "compiles"})
    done = subprocess.run(
        [str(home.python), "-c", COMPILE],
        env=dashboard.variables(home, folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def drawn(desk: Desk) -> str:
    """A contract about a region that is on the map; returns the path of its page."""
    named = {"name": "themed", "domain_id": "default", "services": ["compute"]}
    region = desk.ask("POST", "/v1/virtual-regions", named)
    place = {"location": {"country": "FR", "city": "Paris", "latitude": 48.9, "longitude": 2.4}}
    desk.ask("POST", f"/v1/virtual-regions/{region['id']}/metadata", {"source": "declared", "values": place})
    desk.ask("POST", f"/v1/virtual-regions/{region['id']}/offer", {})
    asked = terms(region["id"], version=1, region_name="themed", services=["compute"])
    status, made = desk.wait(desk.here.call("POST", "/v1/contracts", {"provider": "CloudTwo", "terms": asked}))
    assert status == 201, made
    return f"contracts/{made['id']}/"


@pytest.mark.parametrize("theme", ["default", "dark"])
def test_text_and_drawings_have_contrast(
    visit: Callable[[str], Visit], dark: str, drawn: str, offered: None, theme: str
) -> None:
    """There are several offers: rows of tables have two grounds in turns."""
    visited = visit("admin")
    seen: dict[str, float] = {}
    for path in ("", "offers/", drawn, "contracts/", "usage/", "regions/create", "questions/"):
        visited.page.goto(f"federation/{path}")
        if theme == "dark":
            visited.page.add_style_tag(content=dark)
        visited.check(f"{theme}-{path.partition('/')[0] or 'clouds'}", contrast=True)
        seen |= dict(visited.page.evaluate(DRAWN))
    assert {"active", "suspended"} <= set(seen)
    assert [text for text, ratio in seen.items() if ratio < ENOUGH] == []


def test_the_package_has_the_theme() -> None:
    folder = Path(dashboard.panels_source()) / "openstackoid_dashboard" / "themes" / "dark"
    assert {path.name for path in folder.glob("*.scss")} == {"_variables.scss", "_styles.scss"}
