"""Opening Claude for a home: over the SDK with a key; without one, somebody who never answers."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rocm_pipeline.planning.claude.call import Answer, Call, Claude, Form, Reason, UnansweredError
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, api_key, base_url, read_settings
from rocm_pipeline.records.records import Records


class NoClaude:
    """Whoever asks it goes on by rules."""

    def ask(self, call: Call[Form]) -> Answer[Form]:
        del call
        raise _no_key()

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        return [_no_key() for _ in calls]


@contextmanager
def open_claude(home: Path, records: Records) -> Generator[Claude, None, None]:
    """Yield Claude for the settings of `home`; a `UserError` says what is wrong in these."""
    settings = read_settings(home)
    key = api_key()
    if key is None:
        yield NoClaude()
        return
    # the SDK takes a second or two to import
    from rocm_pipeline.planning.claude.client import AnthropicClaude

    claude = AnthropicClaude(records, settings, key=key, url=base_url())
    try:
        yield claude
    finally:
        claude.close()


def _no_key() -> UnansweredError:
    return UnansweredError(Reason.NO_KEY, f"{KEY_VARIABLE} is not set")
