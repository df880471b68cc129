"""Which models a host should fetch: for each of its roles a large one of its list that fits."""

from collections.abc import Sequence
from dataclasses import dataclass

from rocm_pipeline.fleet.catalogue import GIB, best_fit, means
from rocm_pipeline.fleet.hosts import Host, Preferences
from rocm_pipeline.fleet.roster import HostStatus

ASSUMED_GIB = 8.0
"""Of a host that has shown nothing and whose `vram_gib` nobody wrote down."""


_ABOUT_EQUAL = 0.9
"""Sizes in the catalogue are rounded; a file of this share of one is that model or a larger."""


_COMPARABLE = 0.2
"""A model that a role prefers is passed over where another of its list is five times as large."""


@dataclass(frozen=True)
class _Offer:
    """A model for an entry of a list; its size is unknown where a person added the entry."""

    model: str
    gb: float | None


@dataclass(frozen=True)
class Room:
    """Memory for models, in GiB, and where that is known from."""

    gib: float
    source: str


@dataclass(frozen=True)
class Wish:
    """A model that a host should have, and for which of its roles."""

    model: str
    gb: float | None
    """Size of the download in 10^9 bytes; None: unknown."""
    roles: tuple[str, ...]
    is_there: bool


def room_of(host: Host, status: HostStatus) -> Room:
    """Return what is known of a host's memory: what a person wrote, what it holds, or a guess.

    Ollama does not say how much a machine has, only what its loaded models take of it.
    """
    if host.vram_gib is not None:
        return Room(host.vram_gib, "vram_gib in fleet.yaml")
    in_vram = sum(model.bytes_vram for model in status.models) / GIB
    if in_vram > ASSUMED_GIB:
        return Room(in_vram, "what it has loaded now; `vram_gib` in fleet.yaml would say more")
    return Room(ASSUMED_GIB, "assumed; write `vram_gib` in fleet.yaml")


def wishes_of(
    host: Host, status: HostStatus, preferences: Preferences, room: Room
) -> tuple[Wish, ...]:
    """Return what the host should have. Its own `models` decide alone where there are any."""
    if host.models:
        return tuple(_named(entry, status, preferences, room) for entry in host.models)
    roles: dict[str, list[str]] = {}
    for role in host.roles or tuple(preferences.roles):
        num_ctx = preferences.contexts.get(role, preferences.num_ctx)
        if found := _choice(preferences.of(role), status, preferences, room, num_ctx):
            roles.setdefault(found, []).append(role)
    return tuple(_wish(model, tuple(named), status, preferences) for model, named in roles.items())


def roles_without(host: Host, wishes: Sequence[Wish], preferences: Preferences) -> tuple[str, ...]:
    """Return the roles of a host for which no model of their list fits."""
    if host.models:
        return ()
    served = {role for wish in wishes for role in wish.roles}
    return tuple(role for role in host.roles or preferences.roles if role not in served)


def _named(entry: str, status: HostStatus, preferences: Preferences, room: Room) -> Wish:
    found = _choice((entry,), status, preferences, room, preferences.num_ctx)
    return _wish(found or entry, (), status, preferences)


def _choice(
    wanted: Sequence[str], status: HostStatus, preferences: Preferences, room: Room, num_ctx: int
) -> str | None:
    """Return the first model of the list that is not small beside others of it that fit."""
    offers = [
        offer
        for entry in wanted
        if (offer := _offer(entry, status, preferences, room, num_ctx)) is not None
    ]
    largest = max((offer.gb for offer in offers if offer.gb is not None), default=0.0)
    return next(
        (offer.model for offer in offers if offer.gb is None or offer.gb >= largest * _COMPARABLE),
        None,
    )


def _offer(
    entry: str, status: HostStatus, preferences: Preferences, room: Room, num_ctx: int
) -> _Offer | None:
    """Return the largest model of one entry that the host has or has room for."""
    there = [model for model in status.models if means(entry, model.name)]
    largest = max(there, key=lambda model: model.bytes, default=None)
    fit = best_fit(entry, preferences.catalogue, room.gib, num_ctx)
    if largest and (fit is None or largest.bytes >= _ABOUT_EQUAL * fit.gb * 1e9):
        return _Offer(largest.name, largest.bytes / 1e9)
    if fit is not None:
        return _Offer(fit.name, fit.gb)
    is_known = any(means(entry, known.name) for known in preferences.catalogue)
    return None if is_known else _Offer(entry, None)


def _wish(model: str, roles: tuple[str, ...], status: HostStatus, preferences: Preferences) -> Wish:
    known = next((k for k in preferences.catalogue if k.name == model), None)
    has = any(means(model, installed.name) for installed in status.models)
    return Wish(model, known.gb if known else None, roles, is_there=has)
