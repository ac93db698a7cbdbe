"""Images from content to cluster: an archive per content in the cache, a record of what the cluster holds."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hack.cluster.images.catalogue import IMAGES, Image
from hack.cluster.images.content import content_hash
from hack.cluster.images.engines import Builder
from hack.cluster.progress import Step
from hack.cluster.settings import Settings

Load = Callable[[Path, Path], None]
"""Puts an archive into the cluster: archive, log."""


def record_path(settings: Settings) -> Path:
    """Which content of each image the cluster holds: image name to hash."""
    return settings.state / "images.json"


def loaded(settings: Settings) -> dict[str, str]:
    """The record, or nothing where there is none."""
    path = record_path(settings)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def archive_path(settings: Settings, image: Image, key: str) -> Path:
    """Where the built image with this content is kept."""
    return settings.cache / "images" / f"{image.name}-{key}.tar"


def image_steps(settings: Settings, builder: Builder, load: Load, *, names: Sequence[str] = ()) -> list[Step]:
    """Build and load steps for those images whose content the cluster does not hold yet."""
    chosen = [image for image in IMAGES if not names or image.name in names]
    base = builder.base()
    keys = {image: content_hash(image, repository=settings.repository, base=base) for image in chosen}
    have = loaded(settings)
    steps = []
    for image, key in keys.items():
        archive = archive_path(settings, image, key)
        if have.get(image.name) == key:
            continue
        if not archive.exists():
            steps.append(_build_step(builder, image, archive))
        steps.append(_load_step(settings, load, image, archive, key=key))
    return steps


def _build_step(builder: Builder, image: Image, archive: Path) -> Step:
    def action(log: Path) -> None:
        archive.parent.mkdir(parents=True, exist_ok=True)
        unfinished = archive.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        builder.build(image, archive=unfinished, log=log)
        unfinished.rename(archive)
        _drop_older(image, keep=archive)

    return Step(f"build image {image.name}", action)


def _drop_older(image: Image, *, keep: Path, count: int = 3) -> None:
    """Keep the newest few archives of an image: each is some hundred megabytes."""
    archives = [path for path in keep.parent.glob(f"{image.name}-*.tar") if len(path.stem) == len(keep.stem)]
    for path in sorted(archives, key=lambda item: item.stat().st_mtime, reverse=True)[count:]:
        path.unlink()


def _load_step(settings: Settings, load: Load, image: Image, archive: Path, *, key: str) -> Step:
    def action(log: Path) -> None:
        load(archive, log)
        write_record(settings, {**loaded(settings), image.name: key})

    return Step(f"load image {image.name} into the cluster", action)


def write_record(settings: Settings, record: Mapping[str, str]) -> None:
    """Replace the record in one move, so that a cut-off run leaves the old one."""
    path = record_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(dict(record), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(path)
