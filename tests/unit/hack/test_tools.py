from pathlib import Path

import pytest

from hack.cluster import clients, tools
from hack.cluster.settings import KIND_NODE_IMAGE, Settings, kubernetes_version, read_settings

FLAGS = "-s -w"


@pytest.fixture
def family(tmp_path: Path) -> Path:
    (tmp_path / "go.mod").write_text("module x\n", encoding="utf-8")
    (tmp_path / "go.sum").write_text("a v1 h1:=\n", encoding="utf-8")
    (tmp_path / "main.go").write_text("package main\n", encoding="utf-8")
    return tmp_path


def key(folder: Path, *, flags: str = FLAGS, machine: str = "x86_64") -> str:
    return tools.family_key(folder, flags=flags, machine=machine)


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_a_changed_input_gives_another_folder(family: Path, name: str) -> None:
    before = key(family)
    with (family / name).open("a", encoding="utf-8") as handle:
        handle.write("// changed\n")
    assert key(family) != before


def test_flags_and_machine_count_and_other_files_do_not(family: Path) -> None:
    before = key(family)
    assert key(family, flags="-s") != before
    assert key(family, machine="aarch64") != before
    (family / "notes.txt").write_text("x", encoding="utf-8")
    assert key(family) == before


def test_kubernetes_is_told_its_version_and_other_families_are_not() -> None:
    flags = tools.link_flags("kubernetes", "v1.36.3")
    assert "gitVersion=v1.36.3" in flags
    assert "gitMajor=1" in flags
    assert "gitMinor=36" in flags
    assert tools.link_flags("etcd", "v1.36.3") == FLAGS


def test_every_program_has_a_family_with_pins(repository_settings: Settings) -> None:
    for program in tools.PROGRAMS.values():
        assert (repository_settings.tools_source / program.family / "go.mod").exists()
        target = tools.build_command(program, target=Path("/x"), version="v1.36.3")
        assert target[-1] == program.package


def test_what_is_built_is_not_built_again(tmp_path: Path, repository_settings: Settings) -> None:
    settings = read_settings(
        {"AGENT_ROLLOUTS_CACHE": str(tmp_path)}, repository=repository_settings.repository
    )
    assert tools.missing(settings, ["kubectl", "etcd"]) == ["etcd", "kubectl"]
    built = tools.program_path(settings, "etcd")
    built.parent.mkdir(parents=True)
    built.write_text("", encoding="utf-8")
    assert tools.missing(settings, ["kubectl", "etcd"]) == ["kubectl"]
    assert [step.title for step in tools.build_steps(settings, ["kubectl", "etcd"])] == [
        "build kubectl from source"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version devel", None), ("", None)],
)
def test_the_version_of_go_is_read(text: str, expected: tuple[int, int] | None) -> None:
    assert tools.go_version(text) == expected


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("kubectl", (1, 35), True),
        ("kubectl", (1, 37), True),
        ("kubectl", (1, 28), False),
        ("kubectl", None, False),
        ("helm", (3, 19), True),
        ("helm", (4, 0), True),
        ("helm", (3, 2), False),
    ],
)
def test_an_old_client_is_not_used(name: str, version: tuple[int, int] | None, expected: bool) -> None:
    assert clients.recent_enough(name, version, server=(1, 36)) is expected


def test_both_providers_give_the_same_minor(repository_settings: Settings) -> None:
    native = clients.version_in(kubernetes_version(repository_settings))
    assert native is not None
    assert clients.version_in(KIND_NODE_IMAGE) == native
