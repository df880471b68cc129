"""LiteLLM's Router on the jobs of one run; runs in the rivals' own environment.

Standard input: one JSON object (hosts: name -> URL, models, jobs, strategy, at_once, timeout).
Standard output: one JSON line (seconds, lost). Settings are those that its documentation gives for
several Ollama servers behind one model name; retries as many as a job of ours may have.
"""

import asyncio
import json
import logging
import os
import sys
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # pyright: ignore

RETRIES = 3


async def run(asked: dict) -> dict:  # pyright: ignore
    """Ask all jobs and return how long that took."""
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    deployments = [
        {
            "model_name": model,
            "litellm_params": {"model": f"ollama_chat/{model}", "api_base": url},
        }
        for model in asked["models"]
        for url in asked["hosts"].values()
    ]
    router = litellm.Router(
        model_list=deployments,
        routing_strategy=asked["strategy"],
        num_retries=RETRIES,
        timeout=asked["timeout"],
    )
    turns = asyncio.Semaphore(asked["at_once"])
    lost, wrong = [], 0
    started = time.perf_counter()

    async def one(job: dict) -> None:  # pyright: ignore
        nonlocal wrong
        await asyncio.sleep(max(0.0, job["arrives"] - (time.perf_counter() - started)))
        async with turns:
            try:
                messages = [{"role": "user", "content": job["content"]}]
                reply = await router.acompletion(model=job["model"], messages=messages)
                wrong += job["model"] not in str(reply.model)
            except Exception as error:
                lost.append(f"{type(error).__name__}: {str(error)[:120]}")

    await asyncio.gather(*[one(job) for job in asked["jobs"]])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "lost": len(lost), "wrong": wrong, "errors": lost[:2]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
