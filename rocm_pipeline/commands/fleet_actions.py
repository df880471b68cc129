"""What the commands of `rocm-pipeline fleet` do; each returns whether all was well."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.fleet import servers
from rocm_pipeline.fleet.activity import FleetActivity, read_activity
from rocm_pipeline.fleet.discovery import hosts_named, write_fleet
from rocm_pipeline.fleet.hosts import FleetConfig, Host, find_config
from rocm_pipeline.fleet.probing import Chosen, Probe, probe_all
from rocm_pipeline.fleet.provision import Wish, roles_without, room_of, wishes_of
from rocm_pipeline.fleet.roster import HostStatus, look
from rocm_pipeline.fleet.servers import PullProgress
from rocm_pipeline.fleet.tables import found_table, probe_line, status_table
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.home import Home
from rocm_pipeline.records.database import Database
from rocm_pipeline.terminal import out, print_json, say

REFRESH_SECONDS = 2.0


def discover(machines: Sequence[str], write_to: Path | None, *, force: bool, as_json: bool) -> bool:
    """Ask machines what they have; True when one is a host. Then `write_to` is written."""
    hosts = hosts_named(machines)
    found = look(hosts, FleetActivity(), Deadlines())
    if as_json:
        _print_json([host.model_dump(mode="json") for host in found])
    else:
        out.print(found_table(found))
    answering = [host for host, status in zip(hosts, found, strict=True) if status.reachable]
    if answering and write_to is not None:
        write_fleet(write_to, answering, force=force)
        typer.echo(f"Wrote {write_to}: {len(answering)} of {len(hosts)} machines.", err=as_json)
    elif write_to is not None:
        typer.echo(f"Did not write {write_to}: no machine answers.", err=as_json)
    return bool(answering)


def show_status(home: Home, *, once: bool, as_json: bool) -> bool:
    """Show every host, on a terminal until Ctrl-C; True when one answered at the last look."""
    config = _configured(home)
    found, queue = _look(config, home)
    if as_json:
        _print_json({"queue": queue, "hosts": [host.model_dump(mode="json") for host in found]})
    elif once or not out.is_terminal:
        out.print(status_table(found, queue))
    else:
        found = _watch(config, home, found, queue)
    return any(host.reachable for host in found)


def pull(home: Home, models: Sequence[str], names: Sequence[str], *, dry_run: bool) -> bool:
    """Let hosts fetch what their roles need, or `models`; True when all were asked and all came."""
    config = _configured(home)
    chosen = _chosen_hosts(config, names)
    complete = True
    todo: list[tuple[Host, str]] = []
    for host, found in zip(chosen, look(chosen, FleetActivity(), Deadlines()), strict=True):
        if not found.reachable:
            say(f"{host.name}: {found.error}")
            complete = False
            continue
        wishes = _wishes(config, host, found, models)
        todo += [(host, wish.model) for wish in wishes if not wish.is_there]
    return (dry_run or _pull_all(todo)) and complete


def probe(
    home: Home,
    models: Sequence[str],
    names: Sequence[str],
    patience: float,
    *,
    loaded: bool,
    as_json: bool,
) -> bool:
    """Let models answer with one token, `patience` seconds to wait for it; True when all did."""
    config = _configured(home)
    chosen = _chosen_hosts(config, names)
    pairs = list(zip(chosen, look(chosen, FleetActivity(), Deadlines()), strict=True))
    found = probe_all(
        pairs,
        config.preferences,
        Deadlines(load=0.0, first_token=patience, stall=patience, total=2 * patience),
        _tell_nobody if as_json else _tell,
        Chosen(loaded_only=loaded, models=tuple(models)),
    )
    if as_json:
        _print_json([{**asdict(probe), "ok": probe.ok} for probe in found])
    return all(probe.ok for probe in found)


def _configured(home: Home) -> FleetConfig:
    config = find_config(home.path)
    if config is None:
        raise UserError(
            "no hosts are configured",
            where="fleet",
            fix="Set OLLAMA_HOST, or write fleet.yaml: "
            "`rocm-pipeline fleet discover HOST... --write`.",
        )
    return config


def _chosen_hosts(config: FleetConfig, names: Sequence[str]) -> list[Host]:
    known = {host.name: host for host in config.hosts}
    for name in names:
        if name not in known:
            raise UserError(
                f"there is no host '{name}'", where="--host", fix=f"Known are {', '.join(known)}."
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(config.hosts)


def _look(config: FleetConfig, home: Home) -> tuple[list[HostStatus], int]:
    activity = _activity(home)
    return look(config.hosts, activity, Deadlines()), activity.queue


def _activity(home: Home) -> FleetActivity:
    """Return what the home's records say; looking at a fleet makes no home."""
    if not home.path.exists():
        return FleetActivity()
    database = Database(home.records_url)
    try:
        return read_activity(database)
    finally:
        database.close()


def _watch(
    config: FleetConfig, home: Home, found: list[HostStatus], queue: int
) -> list[HostStatus]:
    with Live(status_table(found, queue), console=out, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(REFRESH_SECONDS)
                found, queue = _look(config, home)
                live.update(status_table(found, queue), refresh=True)
        except KeyboardInterrupt:
            return found


def _wishes(
    config: FleetConfig, host: Host, found: HostStatus, named: Sequence[str]
) -> tuple[Wish, ...]:
    """Return what the host should fetch, and say so."""
    preferences = config.preferences
    if named:
        has = {model.name for model in found.models}
        wishes = tuple(
            Wish(model, None, (), is_there=bool({model, f"{model}:latest"} & has))
            for model in dict.fromkeys(named)
        )
    else:
        room = room_of(host, found)
        wishes = wishes_of(host, found, preferences, room)
        say(f"{host.name}: {room.gib:.1f} GiB ({room.source})")
        for role in roles_without(host, wishes, preferences):
            say(f"{host.name}: no model for {role} fits")
    for wish in wishes:
        size = f", {wish.gb:g} GB" if wish.gb and not wish.is_there else ""
        roles = f" for {', '.join(wish.roles)}" if wish.roles else ""
        say(f"{host.name}: {wish.model} {'is there' if wish.is_there else 'to fetch'}{roles}{size}")
    return wishes


def _pull_all(todo: list[tuple[Host, str]]) -> bool:
    """Fetch in turn, so that the hosts do not halve each other's line; True when all came."""
    complete = True
    for host, model in todo:
        with _Bar(f"{host.name}: {model}") as bar:
            try:
                servers.pull(host.url, model, bar.on_progress)
                words = "fetched"
            except ConnectionError as error:
                words, complete = f"not fetched: {error}", False
        say(f"{host.name}: {model} {words}")
    return complete


class _Bar:
    """A bar over all parts of a model; the server tells of them one after the other."""

    def __init__(self, title: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=out,
            disable=not out.is_terminal,
        )
        self._task = self._progress.add_task(title, total=None, status="")
        self._parts: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_progress(self, line: PullProgress) -> None:
        if line.digest and line.total:
            self._parts[line.digest] = (line.completed, line.total)
        done = sum(completed for completed, _ in self._parts.values())
        total = sum(size for _, size in self._parts.values())
        self._progress.update(
            self._task,
            completed=done,
            total=total or None,
            status=one_line(line.status, 40).split(" ")[0],
        )


def _tell(found: Probe) -> None:
    say(probe_line(found))


def _tell_nobody(_: Probe) -> None:
    """JSON is printed once, at the end."""


def _print_json(found: object) -> None:
    print_json(json.dumps(found, indent=1))
