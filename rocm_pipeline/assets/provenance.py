"""Who wrote what: every agent's reply as a materialisation of its task's own partition."""

import re

import dagster as dg

from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.assets.partitions import task_key, tasks
from rocm_pipeline.assets.stage import OWNERS

_PREFIX = 16
_LONGEST_TAG = 63

agent_reply = dg.AssetSpec(
    "agent_reply",
    description=(
        "Every reply of an agent, a partition per task. The tags name the agent, its model and "
        "prompt; the metadata hold the full values and what the harness said of the reply."
    ),
    partitions_def=tasks,
    deps=["plan"],
    group_name="agents",
    owners=OWNERS,
    kinds={"ollama"},
)


def tag_value(text: str) -> str:
    """Return `text` as Dagster takes it for a tag: at most 63 of letters, digits and `_.-`."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:_LONGEST_TAG]


def reply_tags(exchange: Exchange) -> dict[str, str]:
    """Return short facts to filter by; the reply is the data version."""
    return {
        "dagster/data_version": exchange.reply_id,
        "rocm/agent": tag_value(exchange.role),
        "rocm/model": tag_value(exchange.model),
        "rocm/model_digest": tag_value(exchange.model_digest.removeprefix("sha256:")[:_PREFIX]),
        "rocm/prompt": exchange.prompt_sha256[:_PREFIX],
    }


def reply_metadata(exchange: Exchange) -> dict[str, str | int]:
    """Return the full facts about an exchange."""
    return {
        "agent": exchange.role,
        "model": exchange.model,
        "model_digest": exchange.model_digest,
        "host": exchange.host,
        "prompt_sha256": exchange.prompt_sha256,
        "attempt": exchange.attempt_id,
        "reply": exchange.reply_id,
        "round": exchange.round,
        "seed": exchange.seed,
        "tokens_in": exchange.tokens_in,
        "tokens_out": exchange.tokens_out,
    }


def replied(target: str, exchange: Exchange, verdict: str) -> dg.AssetMaterialization:
    """Return the event that an agent replied; `verdict` is the harness's word on the reply."""
    return dg.AssetMaterialization(
        agent_reply.key,
        partition=task_key(target, exchange.task_id),
        metadata={**reply_metadata(exchange), "verdict": verdict},
        tags=reply_tags(exchange),
    )
