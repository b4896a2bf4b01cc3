"""`python -m tools.clients [LANGUAGE ...]` makes clients in languages other than Python: messages and stubs from the definitions, beside helpers of clients/.

Without a language: every one whose plugins are installed, and it says which are not.
"""

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.definitions.stubs import include_paths

ROOT: Final = Path(__file__).parents[1]


# protoc and the plugin of Python's packages, for languages whose code does not depend on protoc's version.
_OWN_PROTOC: Final = (sys.executable, "-m", "grpc_tools.protoc")


@dataclass(frozen=True, slots=True)
class Language:
    """How a language's code is made.

    Attributes:
        options: of protoc; "{to}" is the folder that gets the code.
        plugins: programs that protoc needs, by the name it has for them.
        packages: where those come from.
        to: the folder, in the repository.
        own: the folder of what is written by hand, in the repository; it is copied to `to` before.
        below: the folder that gets the code, in `to`.
        rpc: it needs the code of google.rpc as well: its own packages do not bring it.
        protoc: the command; code for C++, Go, Java and Ruby must be made by the protoc of the library that it runs with.
    """

    options: tuple[str, ...]
    plugins: dict[str, str]
    packages: str
    to: str
    own: str = ""
    below: str = ""
    rpc: bool = False
    protoc: tuple[str, ...] = ("protoc",)


# The definitions name a package that no proxy of modules could serve: a module's name begins with a host's.
_GO_MODULE: Final = tuple(
    f"--{plugin}_opt={option}"
    for plugin in ("go", "go-grpc")
    for option in (
        "module=openstackoid.org/oaktree",
        *(
            f"Moaktree/v1/{path.name}=openstackoid.org/oaktree/v1;oaktreev1"
            for path in sorted((ROOT / "proto/oaktree/v1").iterdir())
        ),
    )
)

LANGUAGES: Final = {
    "cpp": Language(
        ("--cpp_out={to}", "--grpc_out={to}"),
        {"grpc": "grpc_cpp_plugin"},
        "apt-get install protobuf-compiler protobuf-compiler-grpc",
        "build/clients/cpp",
        own="clients/cpp",
        rpc=True,
    ),
    "go": Language(
        ("--go_out={to}", "--go-grpc_out={to}", *_GO_MODULE),
        {"go": "protoc-gen-go", "go-grpc": "protoc-gen-go-grpc"},
        "apt-get install protobuf-compiler protoc-gen-go protoc-gen-go-grpc",
        "build/clients/go",
        own="clients/go",
    ),
    "java": Language(
        ("--java_out={to}", "--grpc-java_out={to}"),
        {"grpc-java": "grpc_java_plugin"},
        "apt-get install protobuf-compiler protobuf-compiler-grpc-java-plugin",
        "build/clients/java",
        own="clients/java",
        below="src/main/java",
    ),
    "javascript": Language(
        ("--es_out={to}", "--es_opt=target=ts,import_extension=js"),
        {"es": "clients/javascript/node_modules/.bin/protoc-gen-es"},
        "(cd clients/javascript && npm install)",
        "clients/javascript/src/gen",
        rpc=True,
        protoc=_OWN_PROTOC,
    ),
    "ruby": Language(
        ("--ruby_out={to}", "--grpc_out={to}"),
        {"grpc": "grpc_ruby_plugin"},
        "apt-get install protobuf-compiler protobuf-compiler-grpc",
        "build/clients/ruby",
        own="clients/ruby",
        below="lib",
    ),
}


class MissingError(Exception):
    """A program is not installed."""


def generate(name: str, to: Path | None = None) -> Path:
    """Makes a language's code.

    Args:
        name: one of LANGUAGES.
        to: the folder that gets it, with what is written by hand; what it had is deleted. The language's own if not given.

    Returns:
        The folder.

    Raises:
        MissingError: a program is not installed.
        subprocess.CalledProcessError: protoc refused; it has said why.
    """
    language = LANGUAGES[name]
    to = to or ROOT / language.to
    # What protoc-gen-PLUGIN runs: in the repository, else in the path.
    plugins = [
        f"--plugin=protoc-gen-{plugin}={_program(program, language)}" for plugin, program in language.plugins.items()
    ]
    protoc = language.protoc if language.protoc == _OWN_PROTOC else (_program(language.protoc[0], language),)
    shutil.rmtree(to, ignore_errors=True)
    if language.own:
        shutil.copytree(ROOT / language.own, to)
    generated = to / language.below
    generated.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").glob("oaktree/v1/*.proto"))
    if language.rpc:
        sources.append("google/rpc/status.proto")
    paths = [f"-I{ROOT / 'proto'}", *(f"-I{path}" for path in include_paths())]
    options = [option.format(to=generated) for option in language.options]
    subprocess.run([*protoc, *paths, *plugins, *options, *sources], check=True)  # noqa: S603
    return to


def google_rpc_java(to: Path) -> Path:
    """Makes google.rpc for Java, where Debian has no package of it; returns the folder of its sources."""
    to.mkdir(parents=True, exist_ok=True)
    command = (
        _program("protoc", LANGUAGES["java"]),
        f"-I{ROOT / 'proto'}",
        f"--java_out={to}",
        "google/rpc/status.proto",
    )
    subprocess.run(command, check=True)  # noqa: S603
    return to


def _program(name: str, language: Language) -> str:
    found = str(ROOT / name) if (ROOT / name).exists() else shutil.which(name)
    if not found:
        raise MissingError(f"{name} is missing: {language.packages}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command.

    Returns:
        0; 1 if a language that was asked for could not be made.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.clients", description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=" ".join(LANGUAGES))
    asked = parser.parse_args(arguments).languages
    if unknown := [name for name in asked if name not in LANGUAGES]:
        parser.error(f"no such language: {unknown[0]}; there are {' '.join(LANGUAGES)}")
    for name in asked or LANGUAGES:
        try:
            print(f"{name}: {generate(name).relative_to(ROOT)}")
        except MissingError as error:
            print(f"{name}: {error}", file=sys.stderr)
            if asked:
                return 1
        except subprocess.CalledProcessError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
