"""`python -m hack.cluster …`: the commands behind `make cluster` and its like."""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from hack.cluster import clients, packages, tools
from hack.cluster import kwok as fake_nodes
from hack.cluster.choice import forget, provider_of, refuse_second, remember
from hack.cluster.errors import ClusterError
from hack.cluster.images.building import image_steps, loaded, write_record
from hack.cluster.images.catalogue import IMAGES
from hack.cluster.packages import Package
from hack.cluster.progress import Step, run_steps
from hack.cluster.providers.provider import Provider
from hack.cluster.settings import Settings, read_settings


def _announce(wanted: Sequence[Package]) -> None:
    if wanted:
        print(packages.announcement(wanted), flush=True)


def _run(heading: str, steps: Sequence[Step], settings: Settings, *, nothing: str) -> None:
    if steps:
        run_steps(heading, steps, logs=settings.logs)
    else:
        print(f"{heading}: {nothing}", flush=True)


def up(settings: Settings, _: argparse.Namespace) -> int:
    """Make the cluster, or say that it is there."""
    provider = provider_of(settings)
    print(f"cluster provider: {provider.name}", flush=True)
    refuse_second(settings, provider.name)
    _announce(provider.missing_packages())
    remember(settings, provider.name)
    steps = provider.up_steps()
    _run("cluster up", steps, settings, nothing="already ready")
    if steps:
        _forget_lost_images(settings, provider)
    folder = clients.link_clients(settings)
    print(f"to use it: export KUBECONFIG={provider.kubeconfig()} PATH={folder}:$PATH")
    return 0


def down(settings: Settings, _: argparse.Namespace) -> int:
    """Remove the cluster."""
    provider = provider_of(settings)
    steps = [*fake_nodes.down_steps(settings, kubeconfig=provider.kubeconfig()), *provider.down_steps()]
    _run("cluster down", steps, settings, nothing="there is nothing to remove")
    if provider.name != "existing":
        forget(settings)
    return 0


def status(settings: Settings, _: argparse.Namespace) -> int:
    """Print how the cluster is; 0 where it can be used."""
    health = provider_of(settings).health()
    for key, value in health.facts.items():
        print(f"{key:<12}{value}")
    print(f"{'ready':<12}{'yes' if health.ready else 'no'}")
    return 0 if health.ready else 1


def images(settings: Settings, options: argparse.Namespace) -> int:
    """Build what changed and put it into the cluster."""
    provider = provider_of(settings)
    wanted = provider.image_packages()
    _announce(wanted)
    install = (
        [Step("install system packages", lambda log: packages.install(wanted, log=log))] if wanted else []
    )
    _forget_lost_images(settings, provider)
    steps = image_steps(settings, provider.builder(), provider.load, names=options.names)
    _run(
        "images",
        [*install, *steps] if steps else [],
        settings,
        nothing="all are in the cluster as they are now",
    )
    return 0


def _forget_lost_images(settings: Settings, provider: Provider) -> None:
    """A new cluster holds none of the images the record tells of; what it really holds decides."""
    held = provider.held_images()
    known = {image.name for image in IMAGES if image.reference in held}
    record = loaded(settings)
    if set(record) - known:
        write_record(settings, {name: key for name, key in record.items() if name in known})


def build_tools(settings: Settings, options: argparse.Namespace) -> int:
    """Build programs into the cache; with --print, say where they are."""
    names = options.names or list(tools.NATIVE)
    unknown = sorted(set(names) - set(tools.PROGRAMS))
    if unknown:
        raise ClusterError(f"unknown programs: {', '.join(unknown)}; there are {', '.join(tools.PROGRAMS)}")
    if not options.print:
        _run("tools", tools.build_steps(settings, names), settings, nothing="all are built")
        return 0
    print(json.dumps({name: str(tools.program_path(settings, name)) for name in names}, indent=2))
    return 0


def kwok(settings: Settings, options: argparse.Namespace) -> int:
    """Start or stop kwok, which plays nodes for scale tests."""
    kubeconfig = provider_of(settings).kubeconfig()
    if options.what == "up":
        steps = fake_nodes.up_steps(settings, kubeconfig=kubeconfig, nodes=options.nodes)
    else:
        steps = fake_nodes.down_steps(settings, kubeconfig=kubeconfig)
    _run(f"kwok {options.what}", steps, settings, nothing="nothing to do")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hack.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, action: Callable[[Settings, argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=action.__doc__)
        command.set_defaults(action=action)
        return command

    add("up", up)
    add("down", down)
    add("status", status)
    add("images", images).add_argument("names", nargs="*", help="only these images")
    building = add("tools", build_tools)
    building.add_argument("names", nargs="*", help="only these programs")
    building.add_argument("--print", action="store_true", help="print where they are, as JSON; build nothing")
    faking = add("kwok", kwok)
    faking.add_argument("what", choices=("up", "down"))
    faking.add_argument("--nodes", type=int, default=4, help="how many fake nodes")
    return parser


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    """Two commands of one checkout would undo each other's steps; the second waits and says so."""
    settings.state.mkdir(parents=True, exist_ok=True)
    with (settings.state / "cluster.lock").open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another cluster command of this checkout is running; waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; an error a person can act on is printed without a traceback."""
    options = _parser().parse_args(arguments)
    settings = read_settings(os.environ)
    try:
        with nullcontext() if options.action is status else _one_at_a_time(settings):
            return int(options.action(settings, options))
    except ClusterError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
