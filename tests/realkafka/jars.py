"""Where Kafka's jars come from: fetched with Maven once, then kept in a cache outside the tree.

Decides the versions and the cache's place; starting anything is left to `broker`.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.realkafka.errors import KafkaUnavailableError

KAFKA_VERSION = "4.4.0"
JAVA_AT_LEAST = 17
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"

# kafka-tools and kafka-tools-api of 4.4.0 are not published; those of 4.3.1, named first hand, take their place.
_TOOLS_VERSION = {"4.4.0": "4.3.1"}
# Kafka brings slf4j's API alone: without a binding a broker logs nothing.
_LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4")

_LOG4J = """\
rootLogger.level=INFO
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
"""


def cache_folder() -> Path:
    """``$OTTLA_CACHE``, else ``~/.cache/ottla``."""
    return Path(os.environ.get("OTTLA_CACHE") or Path.home() / ".cache" / "ottla")


def java() -> str:
    """The java program, checked for its version."""
    program = shutil.which("java")
    if program is None:
        message = f"java was not found: install a JRE of version {JAVA_AT_LEAST} or later (openjdk-17-jre-headless)"
        raise KafkaUnavailableError(message)
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        message = f"Kafka needs Java {JAVA_AT_LEAST} or later, but {program} says: {told.strip() or 'nothing'}"
        raise KafkaUnavailableError(message)
    return program


def kafka_home(version: str = KAFKA_VERSION) -> Path:
    """A folder with Kafka's jars in ``libs/`` and a ``log4j2.properties``; fetched if the cache has none."""
    home = cache_folder() / f"kafka-{version}"
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may want the same jars at once
        if not home.is_dir():
            _fetch(version, home)
    return home


def _fetch(version: str, home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        message = "mvn was not found: install Maven (package maven), it fetches Kafka's jars from Maven Central"
        raise KafkaUnavailableError(message)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as name:
        folder = Path(name) / "home"
        folder.mkdir()
        (folder / "log4j2.properties").write_text(_LOG4J)
        (folder / "pom.xml").write_text(_pom(version))
        done = subprocess.run(
            [
                maven,
                "--quiet",
                "--batch-mode",
                "--file",
                folder / "pom.xml",
                f"{_DEPENDENCY_PLUGIN}:copy-dependencies",
                f"-DoutputDirectory={folder / 'libs'}",
                "-DincludeScope=runtime",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            message = (
                f"Maven could not fetch Kafka {version}; is Maven Central reachable? It said:\n{done.stdout[-3000:]}"
            )
            raise KafkaUnavailableError(message)
        folder.rename(home)  # whole or not at all


def _pom(version: str) -> str:
    tools = _TOOLS_VERSION.get(version, version)
    wanted = [
        ("org.apache.kafka", "kafka_2.13", version),
        ("org.apache.kafka", "kafka-tools-api", tools),
        ("org.apache.kafka", "kafka-tools", tools),
        _LOG_BINDING,
    ]
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{number}</version></dependency>"
        for group, artifact, number in wanted
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>ottla.tests</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
