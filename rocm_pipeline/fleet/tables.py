"""The fleet in tables and lines, for a `PlainConsole`: servers have said much of it."""

import time
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rocm_pipeline.errors import one_line
from rocm_pipeline.fleet.activity import Closed
from rocm_pipeline.fleet.probing import Probe
from rocm_pipeline.fleet.roster import HostStatus, ModelStatus

_DIGEST = 12
"""Digits shown of a digest."""


def status_table(hosts: Sequence[HostStatus], queue: int) -> Table:
    """Return the whole fleet, a row for each host."""
    reachable = sum(host.reachable for host in hosts)
    table = Table(
        title=f"{reachable} of {len(hosts)} hosts answer; requests waiting for a slot: {queue}",
        caption="* is loaded; speed, calls and failures are of the last 24 hours",
    )
    for heading in ("host", "state", "models", "slots busy", "tokens/s", "calls", "failed"):
        table.add_column(heading, overflow="fold")
    table.add_column("left alone", overflow="fold")
    for host in hosts:
        activity = host.activity
        speed = activity.tokens_per_second
        table.add_row(
            _host(host),
            _state(host),
            _models(host.models),
            f"{activity.slots_busy} of {host.slots}",
            "-" if speed is None else f"{speed:.1f}",
            str(activity.calls),
            ", ".join(f"{count} {name}" for name, count in sorted(activity.failures.items())),
            "\n".join(_closed(closed) for closed in activity.closed),
        )
    return table


def found_table(hosts: Sequence[HostStatus]) -> Table:
    """Return what machines that may be hosts answered."""
    table = Table("machine", "answer", "models")
    for host in hosts:
        table.add_row(host.url, _state(host), _models(host.models))
    return table


def probe_line(probe: Probe) -> str:
    """Return one line for one chat."""
    who = f"{probe.host} ({probe.model}, {_short(probe.digest)})" if probe.model else probe.host
    if not probe.ok:
        return one_line(f"{who}: {probe.outcome.value}, {probe.error}")
    loading = f", {probe.load_seconds:.1f} s of it loading" if probe.load_seconds >= 0.05 else ""
    return one_line(f"{who}: answers in {probe.seconds:.1f} s{loading}")


def _host(host: HostStatus) -> str:
    about = [f"{key}: {value}" for key, value in host.tags.items()]
    if host.roles:
        about.append(f"for {', '.join(host.roles)}")
    if host.hours:
        about.append(host.hours)
    if host.benchmarks:
        about.append("benchmarks too")
    return "\n".join([host.name, host.url, *about])


def _state(host: HostStatus) -> Text:
    words = "answers" if host.reachable else "does not answer"
    if host.activity.reserved:
        words += ", kept for a benchmark"
    if host.error:
        words += f": {one_line(host.error, 200)}"
    return Text(words, style="green" if host.reachable and not host.error else "red")


def _models(models: Sequence[ModelStatus]) -> str:
    return "\n".join(_model(model) for model in models) or "none"


def _model(model: ModelStatus) -> str:
    words = f"{'*' if model.resident else ' '} {one_line(model.name, 80)} {_short(model.digest)}"
    if model.on_cpu:
        on_card = 100 * model.bytes_vram // max(model.bytes_loaded, 1)
        words += f", {on_card} % on the card"
    return words


def _closed(closed: Closed) -> str:
    model = f"{closed.model.partition('@')[0]}: " if closed.model else ""
    seconds = max(0, round(closed.retry_at - time.time()))
    return one_line(f"{model}{closed.state}, {closed.reason}; tried again in {seconds} s", 300)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_DIGEST]
