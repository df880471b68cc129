"""Reading YAML that a stranger may have written: bounded, and nothing in it meant twice.

PyYAML alone keeps the last of two equal keys, expands aliases without end, and raises errors of
Python's own for a date that does not exist, a number of 5,000 digits or a tag that does not fit
its value.
"""

from typing import Any

import yaml

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


class StrictYamlError(ValueError):
    """The text is refused; `problem` says why and `fix` what to do."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


def read_mapping(text: str) -> dict[str, Any]:
    """Return the mapping that `text` holds; raises `StrictYamlError`."""
    if len(text) > MAX_CHARACTERS:
        raise StrictYamlError(f"is longer than {MAX_CHARACTERS} characters", "Make it shorter.")
    try:
        _check_events(text)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None or not isinstance(root, yaml.MappingNode):
            raise StrictYamlError("holds no mapping", "Write `name: value` lines.")
        _check_node(root)
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _not_yaml(error) from error
    except StrictYamlError:
        raise
    except (ValueError, RecursionError, OverflowError) as error:
        raise StrictYamlError(f"holds a value that cannot be read: {error}", "Mend it.") from error


def _check_events(text: str) -> None:
    """Refuse aliases, tags and deep nesting before anything is built; the events show them all."""
    depth = 0
    for nodes, event in enumerate(yaml.parse(text, Loader=_Loader), start=1):
        if isinstance(event, yaml.AliasEvent):
            raise StrictYamlError(
                f"has the alias '*{event.anchor}' at line {event.start_mark.line + 1}",
                "Write the value out.",
            )
        if getattr(event, "tag", None) is not None:
            raise StrictYamlError(
                f"has a tag (!) at line {event.start_mark.line + 1}",
                "Leave it out, or quote the text that starts with '!'.",
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise StrictYamlError("is nested too deeply or too long", "Make it simpler.")


def _check_node(node: yaml.Node) -> None:
    """Refuse keys that are no plain text or come twice."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                raise StrictYamlError(
                    f"has a key that is no name at line {line}", "Mend that line."
                )
            if key.value in seen:
                raise StrictYamlError(f"has '{key.value}' twice at line {line}", "Keep one.")
            seen.add(key.value)
            _check_node(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_node(item)


def _not_yaml(error: yaml.YAMLError) -> StrictYamlError:
    mark = getattr(error, "problem_mark", None)
    line = f" at line {mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "malformed"
    return StrictYamlError(f"is not YAML{line}: {problem}", "Mend that line.")
