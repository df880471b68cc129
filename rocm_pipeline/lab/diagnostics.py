"""What compiler diagnostics mean: a mistake of the candidate, or HIP that is not supported here.

Headers and emulator say `UNSUPPORTED: ...` in an error where they cannot do what a GPU could; names
that `data/hip_names.yaml` refuses are unknown to the compiler, or deleted. Both are the status
UNSUPPORTED, which is no pass, with the line of the candidate. A builtin of another generation of
GPUs is the candidate's own COMPILE_ERROR, with the architectures that have it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rocm_pipeline.lab.builtin_generations import wrong_generation
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.hip_names import hip_names

UNSUPPORTED = "UNSUPPORTED: "
"""How the text of such an error begins."""

_ERROR = re.compile(r"^.*?\berror: (.*)$", re.MULTILINE)
_LINE = re.compile(r"^kernel\.hip:(\d+):\d+: ", re.MULTILINE)
# What follows from another error, and says nothing of its own.
_FOLLOWS = re.compile(r"too many errors emitted|attempt to use a deleted function")
_UNKNOWN_NAME = re.compile(
    r"(?:use of undeclared identifier|unknown type name|no member named|"
    r"call to deleted function|no template named) '(?:\w+::)*(\w+)'"
)
_LACKS = re.compile(r"'(__builtin_amdgcn_\w+)' needs target feature (\S+)")


@dataclass(frozen=True)
class Diagnosis:
    """What one compiler's text says about the candidate."""

    text: str

    @property
    def status(self) -> Status:
        """UNSUPPORTED when every error says so, COMPILE_ERROR otherwise."""
        reasons = list(self._reasons())
        if reasons and all(reason is not None for reason in reasons):
            return Status.UNSUPPORTED
        return Status.COMPILE_ERROR

    @property
    def line(self) -> int | None:
        """The candidate's line of the first error, or that which led to it in a header."""
        error = _ERROR.search(self.text)
        match = _LINE.search(self.text, error.start() if error else 0)
        return int(match[1]) if match else None

    @property
    def explained(self) -> str:
        """The text, with the reason for each name that is refused, or of another generation."""
        known = dict.fromkeys(reason for reason in self._reasons() if reason)
        for error in _ERROR.findall(self.text):
            lacks = _LACKS.search(error)
            if lacks is not None:
                known[wrong_generation(lacks[1], lacks[2])] = None
        return "\n".join([self.text, *known])

    def finding(self, by: str) -> Finding:
        """A defect in the words of `by`: an architecture, or the emulator."""
        message = f"{by}: {self.explained}"
        return Finding(status=self.status, message=message, line=self.line)

    def _reasons(self) -> Iterator[str | None]:
        """For each error why it is unsupported, "" where its text says so; None for a mistake."""
        for error in _ERROR.findall(self.text):
            if not _FOLLOWS.search(error):
                yield "" if UNSUPPORTED in error else _refusal(error)


def _refusal(error: str) -> str | None:
    match = _UNKNOWN_NAME.search(error)
    if match is None:
        return None
    for refused in hip_names().refused:
        if match[1] in refused.names:
            return f"{UNSUPPORTED}'{match[1]}': {refused.reason}"
    return None
