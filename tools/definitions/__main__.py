"""`python -m tools.definitions` makes everything anew; with `--check` it shows what is not current, or breaks users, and fails."""

import argparse
import difflib
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.definitions import catalog, compatibility, messages, registry, rendering, stubs
from tools.definitions.choosing import field_type
from tools.definitions.classes import ResourceClass, read
from tools.definitions.tables import LEFT_OUT, SERVICES, TYPED, Typed

ROOT: Final = Path(__file__).parents[2]
_DEFINITIONS: Final = Path("proto")
_REGISTRY: Final = _DEFINITIONS / "registry.json"
_CATALOG: Final = Path("src/openstackoid/oaktree/kinds.json")
_STUBS: Final = Path("src")


def make(root: Path, *, retype: frozenset[str] = frozenset()) -> dict[Path, bytes]:
    """Everything that is generated.

    Args:
        root: the repository, for the definitions by hand and the registry.
        retype: "message.field" of those that may change their type.

    Returns:
        The files' contents, by path in the repository.

    Raises:
        registry.RetypedError: a field would change its type.
        stubs.ProtocError: the definitions do not compile.
        ValueError: openstacksdk's classes are not what the tables expect.
    """
    classes = {found.kind: found for found in read()}
    kept = root / _REGISTRY
    numbers = registry.load(kept.read_text()) if kept.exists() else {}
    for typed in TYPED:
        if typed.kind not in classes:
            raise ValueError(f"openstacksdk has no {typed.kind} any more")
        numbers |= _renew(typed, classes[typed.kind], numbers, retype)
    texts = {_REGISTRY: registry.dump(numbers), _CATALOG: catalog.render(classes.values())}
    for service in SERVICES:
        kinds = [messages.Kind(typed, classes[typed.kind], numbers) for typed in TYPED if typed.service == service]
        texts[_DEFINITIONS / "oaktree/v1" / f"{service}.proto"] = rendering.render(service, kinds)
    return {path: text.encode() for path, text in texts.items()} | _compiled(root, texts)


def _renew(
    typed: Typed, found: ResourceClass, numbers: dict[str, dict[str, registry.Entry]], retype: frozenset[str]
) -> dict[str, dict[str, registry.Entry]]:
    """The registry's entries of a kind's messages."""
    named = [a for a in found.attributes if f"{typed.kind}.{a.name}" not in LEFT_OUT]
    fields = [(a.name, field_type(typed.kind, a)) for a in named]
    parents = [(a.name, "string") for a in found.attributes if a.parent]
    renewed = {
        typed.message: registry.renew(
            typed.message, numbers.get(typed.message, {}), fields, first=messages.FIRST_FIELD, retype=retype
        )
    }
    for request in messages.requests_with_parents(typed.message, typed.kind, found.verbs):
        if parents or request in numbers:
            renewed[request] = registry.renew(
                request, numbers.get(request, {}), parents, first=messages.FIRST_PARENT, retype=retype
            )
    return renewed


def _compiled(root: Path, texts: dict[Path, str]) -> dict[Path, bytes]:
    """Stubs of all definitions, those by hand as they are in the repository."""
    with tempfile.TemporaryDirectory() as scratch:
        definitions, out = Path(scratch, "proto"), Path(scratch, "out")
        by_hand = {
            path.relative_to(root): path.read_text() for path in (root / _DEFINITIONS).glob("oaktree/v1/*.proto")
        }
        for path, text in (by_hand | texts).items():
            if path.suffix == ".proto":
                target = Path(scratch, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        stubs.compile_python(definitions, out)
        return {
            _STUBS / path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*.py*")) if path.is_file()
        }


def _leftover(root: Path, made: dict[Path, bytes]) -> list[Path]:
    """Stubs of definitions that are gone."""
    return [path for path in (root / _STUBS / "oaktree/v1").glob("*_pb2*.py*") if path.relative_to(root) not in made]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command.

    Returns:
        0; 1 if something is not current, or cannot be made.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.definitions", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if something is not current, against the rules, or breaks users",
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help=f"keep the definitions in {compatibility.RELEASED}, as what may not be broken",
    )
    parser.add_argument(
        "--retype", action="append", default=[], metavar="MESSAGE.FIELD", help="let this field change its type"
    )
    options = parser.parse_args(arguments)
    try:
        made = make(root, retype=frozenset(options.retype))
        stale = {
            path
            for path, content in made.items()
            if not (root / path).exists() or (root / path).read_bytes() != content
        }
        leftover = _leftover(root, made)
        if options.check:
            return _check(root, made, stale, leftover)
        _write(root, made, stale, leftover)
        if options.release:
            compatibility.release(root)
    except (registry.RetypedError, stubs.ProtocError, compatibility.MissingError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _check(root: Path, made: dict[Path, bytes], stale: set[Path], leftover: list[Path]) -> int:
    for path in sorted(stale):
        _show(root / path, path, made[path])
    for path in leftover:
        print(f"{path.relative_to(root)} is of no definition")
    if stale or leftover:
        return 1
    found = compatibility.problems(root)
    print(found, end="")
    return 1 if found else 0


def _write(root: Path, made: dict[Path, bytes], stale: set[Path], leftover: list[Path]) -> None:
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(made[path])
    for path in leftover:
        path.unlink()
    print(f"{len(made)} files, {len(stale)} of them changed, {len(leftover)} deleted")


def _show(there: Path, path: Path, content: bytes) -> None:
    old = there.read_text().splitlines() if there.exists() else []
    print(
        *difflib.unified_diff(old, content.decode().splitlines(), str(path), f"{path} as it should be", "", "", 1, ""),
        sep="\n",
    )


if __name__ == "__main__":
    sys.exit(main())
