"""The site made of the pages (`make docs`): Sphinx, MyST for Markdown, furo as the theme.

The source folder is the repository, so that links between pages and to files beside them mean on the site what they mean in a
checkout. Every broken link or anchor is a warning, and `make docs` makes warnings errors. Nothing is fetched from a network,
neither by the build nor by a reader's browser.
"""

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "OpenStackoïd"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/index.rst",
    "docs/**.md",
    "tests/vectors/README.md",
]

# Anchors as GitHub makes them; a definition of ours is not looked up in another project.
myst_heading_anchors = 4
myst_ref_domains: list[str] = []
highlight_language = "none"

html_theme = "furo"
html_title = "OpenStackoïd"
html_copy_source = False
html_additional_pages = {"index": "start.html"}
templates_path = ["site"]


def setup(app: Sphinx) -> None:
    """Show the source of diagrams, which reads well; GitHub draws them. Drawing them here would fetch a script in readers' browsers."""
    app.add_lexer("mermaid", TextLexer)
