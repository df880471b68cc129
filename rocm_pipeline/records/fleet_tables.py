"""The tables that the processes of one fleet share: who waits, who holds a slot, who is well.

They hold for the moment: emptying them loses nothing but what was learnt about speeds. Times are
seconds since the epoch; a `host` is the URL of its server, a `model` is `name@digest`.
"""

from sqlalchemy.orm import Mapped, mapped_column

from rocm_pipeline.records.schema import Base


class TicketRow(Base):
    """A request: it waits while `host` is None, and holds one slot of `host` from then on."""

    __tablename__ = "fleet_tickets"

    ticket_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    """The process whose request it is; see `records/owner.py`."""
    beat_at: Mapped[float]
    """When that process last said that it still wants it."""
    give_up_at: Mapped[float]
    """When the ticket ends, whatever the process says."""
    wish_json: Mapped[str]
    waiting_since: Mapped[float]
    host: Mapped[str | None] = mapped_column(default=None)
    model: Mapped[str | None] = mapped_column(default=None)
    hedge_of: Mapped[str | None] = mapped_column(default=None)
    """The ticket whose answer this one asks for a second time, on another host."""
    must_load: Mapped[bool] = mapped_column(default=False)
    """The host has to load the model first, as far as we know."""
    started_at: Mapped[float] = mapped_column(default=0.0)
    expected_end: Mapped[float] = mapped_column(default=0.0)


class HostRow(Base):
    """A server as the process that asked it last found it."""

    __tablename__ = "fleet_hosts"

    host: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    slots: Mapped[int]
    models: Mapped[tuple[str, ...]]
    seen_at: Mapped[float]
    max_loaded: Mapped[int | None] = mapped_column(default=None)
    """Models that it keeps loaded at once, as its owner says."""
    learnt_room: Mapped[int | None] = mapped_column(default=None)
    """Models that it kept when it last had to make room for another."""
    """When a process last had it in its fleet and asked it."""
    most_at_once: Mapped[int | None] = mapped_column(default=None)
    """Fewer than `slots` while the server calls itself busy."""
    calm_at: Mapped[float] = mapped_column(default=0.0)
    """When one more than `most_at_once` may be tried."""
    waits: Mapped[tuple[float, ...]] = mapped_column(default=())
    """Seconds that recent requests waited inside the server, oldest first."""
    reserved_by: Mapped[str | None] = mapped_column(default=None)
    """The process that wants the machine for itself, for a measurement."""
    reserved_until: Mapped[float] = mapped_column(default=0.0)


class ChangeRow(Base):
    """One row: how often the tables below and above were changed, for those who remember them."""

    __tablename__ = "fleet_changes"

    one: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


class SpeedRow(Base):
    """What was learnt of one model on one host, in tokens a second and seconds."""

    __tablename__ = "fleet_speeds"

    host: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    prompt_tps: Mapped[float | None] = mapped_column(default=None)
    decode_tps: Mapped[float | None] = mapped_column(default=None)
    load_seconds: Mapped[float | None] = mapped_column(default=None)
    rates: Mapped[tuple[float, ...]] = mapped_column(default=())
    """Decode rates of recent answers, oldest first."""
    answers: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[float] = mapped_column(default=0.0)
    """When it was last asked for there: servers unload what nobody uses."""


class CircuitRow(Base):
    """Whether a host, or one model on it, is asked at all; a closed circuit has no row."""

    __tablename__ = "fleet_circuits"

    host: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    """Empty for the host as a whole."""
    state: Mapped[str]
    reason: Mapped[str]
    failures: Mapped[int]
    opened: Mapped[int]
    """How often in a row it was opened; the back-off grows with it."""
    since: Mapped[float]
    retry_at: Mapped[float]
    last_job: Mapped[str]
    """Whose failure it was: taken back when that job turns out to be the culprit."""


class ParkedRow(Base):
    """A job that failed on one host after the other, and so is asked of none for a while."""

    __tablename__ = "fleet_parked"

    job: Mapped[str] = mapped_column(primary_key=True)
    hosts: Mapped[tuple[str, ...]]
    reason: Mapped[str]
    until: Mapped[float]
