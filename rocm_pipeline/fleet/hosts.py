"""The Ollama servers of a fleet and the models they are asked for, as the user configured them."""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.catalogue import KnownModel, means
from rocm_pipeline.fleet.hours import WHOLE_DAY, Day, Hours
from rocm_pipeline.strict_yaml import StrictYamlError, read_mapping
from rocm_pipeline.user_files import read_text

FLEET_VARIABLE = "ROCM_PIPELINE_FLEET"
OLLAMA_VARIABLE = "OLLAMA_HOST"
FLEET_FILE = "fleet.yaml"
OLLAMA_PORT = 11434


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        # What a call does with the name: httpx encodes it, and the socket does so again.
        httpx.URL(url).raw_host.decode("ascii").encode("idna")
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        raise ValueError("it is no URL") from None
    if not valid:
        raise ValueError("it must start with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise ValueError("it must not hold a user name or password, which would reach logs")
    if parts.query or parts.fragment:
        raise ValueError("it must not hold a query or fragment")
    return url.rstrip("/")


def _checked_hours(value: object) -> Hours:
    # YAML reads 20:00 without quotes as a number, and a span as text
    return value if isinstance(value, Hours) else Hours.parse(str(value))


class Host(_Frozen):
    """One Ollama server. Nothing else speaks to its models faster than `slots` at a time."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: Annotated[str, AfterValidator(_checked_url)]
    slots: int = Field(default=1, ge=1, le=64)
    """Requests in flight at most; what OLLAMA_NUM_PARALLEL is there."""
    max_loaded: int | None = Field(default=None, ge=1, le=64)
    """Models kept loaded at once, what OLLAMA_MAX_LOADED_MODELS is there; None: it is learnt."""
    first_token: float | None = Field(default=None, gt=0)
    """Seconds to the first token of a loaded model, where the usual ones are too few."""
    models: tuple[str, ...] = ()
    """The only models to use there, best first; empty: whatever it has that a role asks for."""
    roles: tuple[str, ...] = ()
    """The only roles it works for; empty: all."""
    tags: dict[str, str] = {}
    """What a person wants to know of it, such as `gpu: gfx1100`; decides nothing."""
    hours: Annotated[Hours, BeforeValidator(_checked_hours)] = WHOLE_DAY
    """When it may be asked, by the local clock of the machine that asks."""
    days: tuple[Day, ...] = ()
    """Days on which `hours` begin; empty: all."""
    benchmarks: bool = False
    """Whether kernels are timed on the card that its models use."""
    vram_gib: float | None = Field(default=None, gt=0)
    """Memory for models, in GiB; `fleet pull` chooses what fits."""

    def closed_at(self, when: datetime) -> str:
        """Return why it may not be asked at `when` (local time); empty: it may."""
        if self.hours.hold(when, self.days):
            return ""
        return f"it may be asked only from {self.hours_words}"

    @property
    def hours_words(self) -> str:
        """When it may be asked; empty: always."""
        days = f" on {', '.join(self.days)}" if self.days else ""
        return f"{self.hours}{days}" if days or self.hours != WHOLE_DAY else ""


class Preferences(_Frozen):
    """Models per role, best first, and the context windows they are given."""

    roles: dict[str, tuple[str, ...]] = {}
    default: tuple[str, ...] = ()
    num_ctx: int = Field(default=16384, ge=512)
    """The window for a role that `contexts` does not name, in tokens."""
    contexts: dict[str, Annotated[int, Field(ge=512)]] = {}
    catalogue: tuple[KnownModel, ...] = ()

    def of(self, role: str) -> tuple[str, ...]:
        return self.roles.get(role, self.default)

    def context_of(self, model: str) -> int:
        """Return the window that `model` is always given, so that no host reloads it for another.

        The largest that one of its roles needs, and no more than the model has.
        """
        asked = [
            self.contexts.get(role, self.num_ctx)
            for role, wanted in self.roles.items()
            if any(means(entry, model) for entry in wanted)
        ]
        limits = [known.context for known in self.catalogue if means(known.name, model)]
        return min([max(asked, default=self.num_ctx), *limits])


class FleetConfig(_Frozen):
    """A `fleet.yaml`: `hosts`, and what it changes about the models that come with the product."""

    hosts: tuple[Host, ...] = Field(min_length=1)
    models: dict[str, tuple[str, ...]] = {}
    num_ctx: int | None = Field(default=None, ge=512)
    contexts: dict[str, Annotated[int, Field(ge=512)]] = {}

    @model_validator(mode="after")
    def _distinct(self) -> "FleetConfig":
        for what in ("name", "url"):
            values = [getattr(host, what) for host in self.hosts]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two hosts have the {what} '{twice[0]}'")
        return self

    @model_validator(mode="after")
    def _known_roles(self) -> "FleetConfig":
        known = default_preferences().roles
        for named in (self.models, self.contexts, *(host.roles for host in self.hosts)):
            for role in named:
                if role not in known:
                    raise ValueError(f"there is no role '{role}', only {', '.join(known)}")
        return self

    @property
    def preferences(self) -> Preferences:
        shipped = default_preferences()
        return Preferences(
            roles={**shipped.roles, **self.models},
            default=shipped.default,
            num_ctx=self.num_ctx or shipped.num_ctx,
            # one window for the whole fleet takes the place of the shipped ones
            contexts={**({} if self.num_ctx else shipped.contexts), **self.contexts},
            catalogue=shipped.catalogue,
        )


def default_preferences() -> Preferences:
    text = files("rocm_pipeline.fleet").joinpath("models.yaml").read_text()
    return Preferences.model_validate(read_mapping(text))


def find_config(
    home: Path | None = None, environment: Mapping[str, str] | None = None
) -> FleetConfig | None:
    """Return the configured fleet, or None when nobody configured one.

    Looked at in order: the file named by ROCM_PIPELINE_FLEET, `./fleet.yaml`,
    `<home>/fleet.yaml`, the server named by OLLAMA_HOST. Raises UserError for what is wrong in
    the first that exists.
    """
    variables = os.environ if environment is None else environment
    if named := variables.get(FLEET_VARIABLE):
        return read_config(Path(named))
    for path in (Path(FLEET_FILE), *([home / FLEET_FILE] if home else [])):
        if os.path.lexists(path):  # a link that leads nowhere was meant to configure something
            return read_config(path)
    if server := variables.get(OLLAMA_VARIABLE):
        return FleetConfig(hosts=(_host_of_variable(server),))
    return None


def read_config(path: Path) -> FleetConfig:
    try:
        content = read_mapping(read_text(path, fix=_FIX))
    except StrictYamlError as error:
        raise UserError(
            f"the fleet file {error.problem}", where=str(path), fix=f"{error.fix} {_EXAMPLE}"
        ) from error
    try:
        return FleetConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "fleet"
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{field}: {message}", where=str(path), fix=_EXAMPLE) from error


_FIX = f"Name a readable file in {FLEET_VARIABLE}, or write {FLEET_FILE}."
_EXAMPLE = "For example: hosts: [{name: alpha, url: 'http://alpha:11434', slots: 1}]"


def _host_of_variable(value: str) -> Host:
    try:
        return Host(name="ollama", url=url_to_call(value.strip()))
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UserError(
            f"this server cannot be used: {message}",
            where=OLLAMA_VARIABLE,
            fix="Write for example http://127.0.0.1:11434",
        ) from error


_LISTENED_ON = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104
"""What a server listens on and a client cannot call everywhere, and what to call instead."""
_PLACE = re.compile(r"(?P<host>\[[^]]*\]|[^:]*)(?P<port>:.*)?", re.DOTALL)


def url_to_call(value: str) -> str:
    """Return the URL that a value of OLLAMA_HOST means, as Ollama itself reads it.

    No scheme means http and port 11434; a path may follow.
    """
    scheme, has_scheme, rest = value.rpartition("://")
    place, slash, path = rest.partition("/")
    parts = _PLACE.fullmatch(f"[{place}]" if _is_ipv6(place) else place)
    if parts is None:
        return value
    host = _LISTENED_ON.get(parts["host"], parts["host"])
    port = parts["port"] or ("" if has_scheme else f":{OLLAMA_PORT}")
    return f"{scheme or 'http'}://{host}{port}{slash}{path}"


def _is_ipv6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False
