"""Compiles definitions: Python stubs with their types, and descriptors."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


class ProtocError(Exception):
    """protoc refused the definitions."""


def compile_python(definitions: Path, to: Path) -> None:
    """Writes `oaktree/v1/*_pb2.py`, `*_pb2.pyi`, `*_pb2_grpc.py` and `*_pb2_grpc.pyi`.

    Args:
        definitions: the folder that holds `oaktree/v1/*.proto`.
        to: the folder that gets `oaktree/v1`.

    Raises:
        ProtocError: they do not compile.
    """
    to.mkdir(parents=True, exist_ok=True)
    _protoc(definitions, f"--python_out={to}", f"--grpc_python_out={to}", f"--mypy_out={to}", f"--mypy_grpc_out={to}")


def compile_descriptors(definitions: Path, to: Path, *, comments: bool) -> None:
    """Writes a FileDescriptorSet, with what the definitions import.

    Args:
        definitions: the folder that holds `oaktree/v1/*.proto`.
        to: the file.
        comments: keep comments and places, as documentation and linters need.

    Raises:
        ProtocError: they do not compile.
    """
    source = ("--include_source_info",) if comments else ()
    _protoc(definitions, f"--descriptor_set_out={to}", "--include_imports", *source)


def include_paths() -> list[str]:
    """Folders of the definitions that ours import: protobuf's own, and google.rpc."""
    found = [find_spec("grpc_tools"), find_spec("google.rpc")]
    tools, rpc = (Path(next(iter(spec.submodule_search_locations or ()))) for spec in found if spec)
    return [str(tools / "_proto"), str(rpc.parent.parent)]


def _protoc(definitions: Path, *options: str) -> None:
    sources = sorted(str(path.relative_to(definitions)) for path in definitions.glob("oaktree/v1/*.proto"))
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{definitions}",
        *(f"-I{path}" for path in include_paths()),
        *options,
        *sources,
    ]
    # protoc looks for its plugins in the path.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": path})  # noqa: S603
    if done.returncode:
        raise ProtocError(done.stderr)
