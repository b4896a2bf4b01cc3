"""`python -m tools.archives LANGUAGE [FOLDER]` builds a client as people install it, from files alone, without protoc.

python: a wheel of the stubs; javascript: an archive for npm; ruby: a gem; go: a module in the layout of a module proxy (GOPROXY=file://FOLDER/go,...);
java: an artifact in the layout of a Maven repository (FOLDER/maven).

Each is built in a folder of its own, from the sources and the definitions, so that nothing else of this repository gets into it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from openstackoid.lab import installing
from tools import clients

ROOT: Final = Path(__file__).parents[1]
_JAVASCRIPT: Final = ROOT / "clients/javascript"
_VERSION: Final = "0.1.0"
_GO_MODULE: Final = "openstackoid.org/oaktree"
# What the API's classes are compiled against: Debian's libgrpc-java, libprotobuf-java and libgeronimo-annotation-1.3-spec-java.
_JARS: Final = tuple(
    Path("/usr/share/java", name)
    for name in (
        *("grpc-api.jar", "grpc-stub.jar", "grpc-protobuf.jar", "guava.jar"),
        *("protobuf.jar", "geronimo-annotation-1.3-spec.jar"),
    )
)
# A compiler runs for a minute at most: most of what the JVM's second compiler and its parallel collector do for it would not pay.
_SHORT_LIVED: Final = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
_NOT_SOURCES: Final = shutil.ignore_patterns("node_modules", "gen", "dist", "__pycache__")


def python(to: Path) -> Path:
    """Build the wheel; returns it.

    Raises:
        subprocess.CalledProcessError: the build failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(ROOT / "clients/python", source)
        shutil.copytree(ROOT / "src/oaktree", source / "oaktree", ignore=_NOT_SOURCES)
        shutil.copy(ROOT / "LICENSE", source)
        uv = Path(sys.executable).with_name("uv")
        command = (uv, "build", "-q", "--wheel", "--out-dir", to.absolute(), source)
        subprocess.run(command, env=installing.environment(os.environ), check=True)  # noqa: S603
    return max(to.glob("openstackoid_oaktree-*.whl"), key=lambda path: path.stat().st_mtime)


def javascript(to: Path) -> Path:
    """Build the archive for npm; returns it. Needs what `make node` installs.

    Raises:
        clients.MissingError: a program is not installed.
        subprocess.CalledProcessError: the build failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(_JAVASCRIPT, source, ignore=_NOT_SOURCES)
        shutil.copy(ROOT / "LICENSE", source)
        (source / "node_modules").symlink_to(_JAVASCRIPT / "node_modules")
        clients.generate("javascript", source / "src/gen")
        subprocess.run((source / "node_modules/.bin/tsc", "-p", source), check=True)  # noqa: S603
        to.mkdir(parents=True, exist_ok=True)
        command = (_program("npm", "npm"), "pack", "--silent", "--pack-destination", to.absolute())
        subprocess.run(command, cwd=source, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    return max(to.glob("openstackoid-oaktree-*.tgz"), key=lambda path: path.stat().st_mtime)


def ruby(to: Path) -> Path:
    """Build the gem; returns it.

    Raises:
        clients.MissingError: a program is not installed.
        subprocess.CalledProcessError: the build failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = _generated("ruby", Path(folder))
        gem = to.absolute() / f"openstackoid-oaktree-{_VERSION}.gem"
        to.mkdir(parents=True, exist_ok=True)
        command = (_program("gem", "ruby"), "build", "--silent", "--output", gem, "openstackoid-oaktree.gemspec")
        subprocess.run(command, cwd=source, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    return gem


def go(to: Path) -> Path:
    """Write the module, as `go` asks a proxy of modules for it; returns its archive.

    Raises:
        clients.MissingError: a program is not installed.
    """
    versions = to.absolute() / "go" / _GO_MODULE / "@v"
    versions.mkdir(parents=True, exist_ok=True)
    archive = versions / f"v{_VERSION}.zip"
    with tempfile.TemporaryDirectory() as folder:
        source = _generated("go", Path(folder))
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(path for path in source.rglob("*") if path.is_file()):
                packed.write(file, f"{_GO_MODULE}@v{_VERSION}/{file.relative_to(source)}")
        shutil.copy(source / "go.mod", archive.with_suffix(".mod"))
    archive.with_suffix(".info").write_text(json.dumps({"Version": f"v{_VERSION}"}))
    (versions / "list").write_text(f"v{_VERSION}\n")
    return archive


def java(to: Path) -> Path:
    """Compile the artifact, with its sources beside it; returns its jar.

    Raises:
        clients.MissingError: a program or library is not installed.
        subprocess.CalledProcessError: the build failed; it has said why.
    """
    if missing := [str(jar) for jar in _JARS if not jar.exists()]:
        packages = "libgrpc-java libprotobuf-java libgeronimo-annotation-1.3-spec-java"
        raise clients.MissingError(f"{missing[0]} is missing: apt-get install {packages}")
    javac, jar = (_program(name, "default-jdk-headless") for name in ("javac", "jar"))
    artifact = to.absolute() / "maven/org/openstackoid/oaktree" / _VERSION / f"oaktree-{_VERSION}.jar"
    artifact.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source, classes = _generated("java", Path(folder)), Path(folder) / "classes"
        sources = source / "src/main/java"
        # google.rpc is compiled against, and stays outside: proto-google-common-protos brings it.
        protos = clients.google_rpc_java(Path(folder) / "rpc")
        class_path = os.pathsep.join(map(str, (*_JARS, protos)))
        quiet = ("-nowarn", "-proc:none", "-implicit:none")
        compiler = (javac, *_SHORT_LIVED, *quiet, "--release", "11", "-cp", class_path)
        listed = Path(folder) / "sources.txt"
        listed.write_text("".join(f"{path}\n" for path in sorted(sources.rglob("*.java"))))
        commands: tuple[tuple[str | Path, ...], ...] = (
            (*compiler, "-d", protos, *sorted(protos.rglob("*.java"))),
            (*compiler, "-d", classes, f"@{listed}"),
            (jar, "--create", "--file", artifact, "-C", classes, ".", "-C", source, "LICENSE"),
            (jar, "--create", "--file", artifact.with_name(f"oaktree-{_VERSION}-sources.jar"), "-C", sources, "."),
        )
        for command in commands:
            subprocess.run(command, check=True)  # noqa: S603
        shutil.copy(source / "pom.xml", artifact.with_suffix(".pom"))
    return artifact


def _generated(language: str, folder: Path) -> Path:
    """The language's sources, in a folder of their own."""
    source = clients.generate(language, folder / "source")
    shutil.copy(ROOT / "LICENSE", source)
    return source


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise clients.MissingError(f"{name} is missing: apt-get install {package}")
    return path


_ARCHIVES: Final[dict[str, Callable[[Path], Path]]] = {
    "python": python,
    "javascript": javascript,
    "ruby": ruby,
    "go": go,
    "java": java,
}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.archives", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("language", choices=_ARCHIVES)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/archives")
    asked = parser.parse_args(arguments)
    try:
        print(_ARCHIVES[asked.language](asked.folder))
    except clients.MissingError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
