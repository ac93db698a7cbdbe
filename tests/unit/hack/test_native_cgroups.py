import os
from pathlib import Path

import pytest

from hack.cluster.native import cgroups
from hack.cluster.native.layout import CGROUP


@pytest.fixture
def old(tmp_path: Path) -> Path:
    for name in ("cpu", "memory", "unified"):
        (tmp_path / name).mkdir()
    (tmp_path / "cpu,cpuacct").symlink_to("cpu")
    return tmp_path


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n", encoding="utf-8")
    (tmp_path / "system.slice").mkdir()
    return tmp_path


def test_old_control_groups_have_a_group_of_ours_in_every_hierarchy(old: Path) -> None:
    assert cgroups.cgroup_version(old) == 1
    cgroups.create(old)
    cgroups.create(old)
    assert [group.parent.name for group in cgroups.own_groups(old)] == ["cpu", "memory", "unified"]
    assert all(group.is_dir() for group in cgroups.own_groups(old))


def test_the_unified_hierarchy_has_one_and_hands_down_what_the_kubelet_wants(unified: Path) -> None:
    assert cgroups.cgroup_version(unified) == 2
    cgroups.create(unified)
    assert cgroups.own_groups(unified) == [unified / CGROUP]
    # A real kernel adds each word it is told; this file keeps the last.
    assert (unified / "cgroup.subtree_control").read_text(encoding="utf-8") == "+pids"


def test_members_are_found_in_groups_within_groups_and_groups_go_innermost_first(old: Path) -> None:
    cgroups.create(old)
    pod = old / "cpu" / CGROUP / "kubepods" / "pod1"
    pod.mkdir(parents=True)
    listing = pod / "cgroup.procs"
    listing.write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert [record.pid for record in cgroups.members(old)] == [os.getpid()]
    listing.unlink()
    cgroups.remove(old)
    assert not any(group.exists() for group in cgroups.own_groups(old))
    assert (old / "cpu").is_dir()
