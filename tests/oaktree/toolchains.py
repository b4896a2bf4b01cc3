"""Programs in Go, Java, Ruby and C++, each built in a folder with nothing of this repository but the client's archive.

Libraries that people get from the network (a proxy of modules, Maven Central, RubyGems) come from Debian's packages here.
"""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.oaktree.builds import built, digest
from tools import archives, clients

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/oaktree"
PROGRAMS = ROOT / "tests/oaktree/programs"
# What code is made of and by, for every language.
DEFINITIONS = (
    ROOT / "proto",
    ROOT / "tools/clients.py",
    ROOT / "tools/archives.py",
    ROOT / "tests/oaktree/toolchains.py",
)
PACKAGES = ("grpcio-tools", "googleapis-common-protos")
_GO_SOURCES = Path("/usr/share/gocode/src")
_MAVEN = Path("/usr/share/maven-repo")
_JARS = [
    *(
        "grpc-api",
        "grpc-context",
        "grpc-core",
        "grpc-netty",
        "grpc-protobuf",
        "grpc-protobuf-lite",
        "grpc-stub",
        "protobuf",
    ),
    *(
        "guava",
        "failureaccess",
        "perfmark-api",
        "netty-all",
        "netty-buffer",
        "netty-codec",
        "netty-codec-http",
        "netty-codec-http2",
    ),
    *("netty-common", "netty-handler", "netty-resolver", "netty-transport", "gson", "geronimo-annotation-1.3-spec"),
]


# What the generated code includes, and its users.
_CPP_HEADERS = (
    *("grpcpp/grpcpp.h", "grpcpp/impl/codegen/async_stream.h", "grpcpp/impl/codegen/sync_stream.h"),
    *("grpcpp/impl/codegen/service_type.h", "grpcpp/impl/codegen/proto_utils.h", "curl/curl.h"),
    *(f"google/protobuf/{name}.h" for name in ("message", "extension_set", "map_entry", "map_field_inl", "struct.pb")),
)
# For a JVM that ends within seconds.
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@dataclass(frozen=True, slots=True)
class Built:
    """The programs of a language, each as the beginning of its command.

    Attributes:
        list_servers: the example that lists everywhere.
        rest: the example of a cloud's own API.
        requests: see tests/oaktree/programs.
        environment: variables that the programs need.
    """

    list_servers: Sequence[str | Path]
    rest: Sequence[str | Path]
    requests: Sequence[str | Path]
    environment: dict[str, str]


def run(
    *command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that must succeed."""
    assert shutil.which(command[0]), f"{command[0]} is missing: make install"
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def go() -> Built:
    """A module of its own, which requires ours; both come from proxies of modules, as `go` finds them by name and version."""

    def build(made: Path) -> None:
        archives.go(made)
        _debian_modules(made / "debian", (ROOT / "clients/go/go.mod").read_text())
        for name, source in (
            ("list_servers", EXAMPLES / "go/list_servers/main.go"),
            ("rest", EXAMPLES / "go/rest/main.go"),
            ("requests", PROGRAMS / "requests.go"),
        ):
            (made / "program" / name).mkdir(parents=True)
            shutil.copy(source, made / "program" / name / "main.go")
        module = "module example.org/program\n\ngo 1.19\n\nrequire openstackoid.org/oaktree v0.1.0\n"
        (made / "program/go.mod").write_text(module)
        # Without -trimpath, which would compile the standard library anew.
        environment = {
            "GOPROXY": f"file://{made}/go,file://{made}/debian",
            "GONOSUMDB": "*",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOMODCACHE": str(made / "modules"),
            "GOCACHE": str(made / "cache"),
        }
        (made / "bin").mkdir()
        # -s -w: nobody debugs them.
        command = ("go", "build", "-ldflags=-s -w", "-o", made / "bin", "./...")
        run(*command, cwd=made / "program", environment=environment)
        shutil.rmtree(made / "modules")
        shutil.rmtree(made / "cache")

    tools = [("go", "version"), _packages("protoc-gen-go", "protoc-gen-go-grpc", "golang-google-grpc-dev")]
    key = digest([*DEFINITIONS, ROOT / "clients/go", EXAMPLES / "go", PROGRAMS], tools, PACKAGES)
    folder = built("go", key, build) / "bin"
    return Built([folder / "list_servers"], [folder / "rest"], [folder / "requests"], {})


def _debian_modules(proxy: Path, requirements: str) -> None:
    """Make a proxy of the modules that ours requires, from the sources of Debian's packages."""
    for module, version in re.findall(r"^\t(\S+) (v\S+)", requirements, re.MULTILINE):
        versions = proxy / module / "@v"
        versions.mkdir(parents=True)
        source = _GO_SOURCES / module
        assert source.exists(), f"{source} is missing: make install"
        (versions / f"{version}.mod").write_text(f"module {module}\n\ngo 1.17\n")
        (versions / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
        with zipfile.ZipFile(versions / f"{version}.zip", "w") as packed:
            for file in source.rglob("*"):
                if file.is_file() and file.suffix in {".go", ".s", ".h"} and not file.name.endswith("_test.go"):
                    packed.write(file, f"{module}@{version}/{file.relative_to(source)}")


def java() -> Built:
    """A project of Maven that depends on our artifact by its coordinates."""

    def build(made: Path) -> None:
        archives.java(made)
        # Maven's own repository, as if all had been fetched: Debian's artifacts, ours, and two that Debian lacks.
        repository = made / "repository"
        shutil.copytree(_MAVEN, repository, copy_function=os.symlink)
        shutil.copytree(made / "maven/org/openstackoid", repository / "org/openstackoid")
        _artifact(repository, "org.junit", "junit-bom", "debian", "<packaging>pom</packaging>")
        protos = _artifact(repository, "com.google.api.grpc", "proto-google-common-protos", "2.9.0")
        rpc = clients.google_rpc_java(made / "rpc")
        short_lived = {"JAVA_TOOL_OPTIONS": " ".join(_SHORT_LIVED)}
        compiler = ("javac", "-cp", "/usr/share/java/protobuf.jar", "-d", made / "rpc-classes")
        run(*compiler, *rpc.rglob("*.java"), environment=short_lived)
        run("jar", "--create", "--file", protos, "-C", made / "rpc-classes", ".", environment=short_lived)
        sources = made / "program/src/main/java"
        sources.mkdir(parents=True)
        for source in (*(EXAMPLES / "java").iterdir(), PROGRAMS / "Requests.java"):
            shutil.copy(source, sources)
        dependency = "<groupId>org.openstackoid</groupId><artifactId>oaktree</artifactId><version>0.1.0</version>"
        properties = "<properties><maven.compiler.release>11</maven.compiler.release></properties>"
        (made / "program/pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>program</artifactId>"
            f"<version>1</version>{properties}<dependencies><dependency>{dependency}</dependency></dependencies></project>"
        )
        run(
            "mvn",
            "-o",
            "-q",
            f"-Dmaven.repo.local={repository}",
            "compile",
            cwd=made / "program",
            environment={"HOME": str(made), **short_lived},
        )
        shutil.copy(protos, made)
        shutil.rmtree(repository)

    tools = [
        ("javac", "--version"),
        _packages("protobuf-compiler-grpc-java-plugin", "libgrpc-java", "libprotobuf-java"),
    ]
    key = digest([*DEFINITIONS, ROOT / "clients/java", EXAMPLES / "java", PROGRAMS], tools, PACKAGES)
    folder = built("java", key, build)
    jars = [f"/usr/share/java/{name}.jar" for name in _JARS]
    ours = [folder / "program/target/classes", *folder.glob("maven/**/oaktree-0.1.0.jar"), *folder.glob("proto-*.jar")]
    start = ["java", *_SHORT_LIVED, "-cp", os.pathsep.join([*map(str, ours), *jars])]
    return Built([*start, "ListServers"], [*start, "HypervisorStatistics"], [*start, "Requests"], {})


def _artifact(repository: Path, group: str, name: str, version: str, more: str = "") -> Path:
    folder = repository / group.replace(".", "/") / name / version
    folder.mkdir(parents=True)
    (folder / f"{name}-{version}.pom").write_text(
        f"<project><modelVersion>4.0.0</modelVersion><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version>{more}</project>"
    )
    return folder / f"{name}-{version}.jar"


def ruby() -> Built:
    """The gem, installed in a folder of its own."""
    shared = run("gem", "environment", "gempath").stdout.strip()

    def build(made: Path) -> None:
        gem = archives.ruby(made)
        environment = {"GEM_HOME": str(made / "gems"), "GEM_PATH": f"{made / 'gems'}:{shared}"}
        run("gem", "install", "--local", "--no-document", gem, environment=environment)

    tools = [("ruby", "--version"), _packages("ruby-grpc", "ruby-google-protobuf")]
    key = digest([*DEFINITIONS, ROOT / "clients/ruby"], tools, PACKAGES)
    gems = built("ruby", key, build) / "gems"
    return Built(
        ["ruby", EXAMPLES / "ruby/list_servers.rb"],
        ["ruby", EXAMPLES / "ruby/rest.rb"],
        ["ruby", PROGRAMS / "requests.rb"],
        {"GEM_PATH": f"{gems}:{shared}"},
    )


def cpp() -> Built:
    """The examples' own Makefile."""

    def build(made: Path) -> None:
        clients.generate("cpp", made / "generated")
        shutil.copytree(EXAMPLES / "cpp", made / "program")
        shutil.copy(PROGRAMS / "requests.cc", made / "program")
        # gRPC's headers are most of each unit: they are compiled once for all.
        header = made / "libraries.h"
        header.write_text("".join(f"#include <{each}>\n" for each in _CPP_HEADERS))
        flags = run("pkg-config", "--cflags", "grpc++", "protobuf", "libcurl").stdout.split()
        run("g++", "-O0", "-std=c++17", *flags, "-x", "c++-header", "-o", made / "libraries.h.gch", header)
        variables = (
            f"GENERATED={made / 'generated'}",
            f"BUILD={made / 'built'}",
            f"CXXFLAGS=-O0 -Winvalid-pch -include {header}",
        )
        run("make", "-s", "-j2", "-C", made / "program", *variables, "all", made / "built/requests")
        (made / "libraries.h.gch").unlink()

    tools = [
        ("g++", "--version"),
        ("protoc", "--version"),
        ("pkg-config", "--modversion", "grpc++", "protobuf", "libcurl"),
    ]
    key = digest([*DEFINITIONS, ROOT / "clients/cpp", EXAMPLES / "cpp", PROGRAMS], tools, PACKAGES)
    folder = built("cpp", key, build) / "built"
    return Built([folder / "list-servers"], [folder / "rest"], [folder / "requests"], {})


def _packages(*names: str) -> tuple[str, ...]:
    """A command that answers with the versions of Debian's packages."""
    return ("dpkg-query", "--show", *names)


BUILDS = {"go": go, "java": java, "ruby": ruby, "cpp": cpp}
