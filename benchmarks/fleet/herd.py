"""ollama-herd as a running router: started from the rivals' environment, told of the hosts.

What its own agent on every host would report is sent for it, twice a second instead of every five,
because time is scaled. Its telemetry, its automatic pulls and its discovery by mDNS are of no use
here; the first two are turned off, and its data go to a folder of the run.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import httpx

from benchmarks.fleet.scenarios import SimHost

HEARTBEAT_SECONDS = 0.5
_START_SECONDS = 60.0


@contextlib.asynccontextmanager
async def running(
    program: Path, folder: Path, urls: Mapping[str, str], hosts: tuple[SimHost, ...], fallback: bool
) -> AsyncGenerator[str, None]:
    """Run the router while the block lasts; yield its URL once it knows every live host."""
    port = _free_port()
    environment = {
        **os.environ,
        "HOME": str(folder),
        "FLEET_DATA_DIR": str(folder),
        "FLEET_NODE_TELEMETRY": "false",
        "FLEET_AUTO_PULL": "false",
        "FLEET_DISABLE_MODEL_PRELOADER": "true",
        "FLEET_VRAM_FALLBACK": str(fallback).lower(),
    }
    command = [str(program), "--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    agents: list[asyncio.Task[None]] = []
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            await _until_up(client, url)
            for host in hosts:
                known = asyncio.Event()
                agents.append(
                    asyncio.create_task(_agent(client, url, host, urls[host.name], known))
                )
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(known.wait(), 3)
            yield url
    finally:
        for agent in agents:
            agent.cancel()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # on a busy machine its own end takes longer
            process.kill()
            process.wait()


async def _until_up(client: httpx.AsyncClient, url: str) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            await client.get(f"{url}/api/version")
            return
        await asyncio.sleep(0.2)
    raise SystemExit("ollama-herd did not start")


async def _agent(
    client: httpx.AsyncClient, url: str, host: SimHost, server: str, known: asyncio.Event
) -> None:
    """Report what the host says of itself, as the router's own agent does."""
    while True:
        with contextlib.suppress(httpx.HTTPError, KeyError):
            loaded = (await client.get(f"{server}/api/ps")).json()["models"]
            await client.post(f"{url}/heartbeat", json=_heartbeat(host, server, loaded))
            known.set()
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _heartbeat(host: SimHost, server: str, loaded: list[dict[str, object]]) -> dict[str, object]:
    names = [f"{model}:latest" for model in host.models]
    return {
        "node_id": host.name,
        "cpu": {"cores_physical": 16, "utilization_pct": 10.0},
        "memory": {"total_gb": 128.0, "used_gb": 16.0, "available_gb": 112.0},
        "ollama_host": server,
        "ollama": {
            "models_loaded": [
                {"name": model["name"], "size_gb": 4.0, "context_length": 16384} for model in loaded
            ],
            "models_available": names,
            "models_available_sizes": dict.fromkeys(names, 4.0),
            "max_loaded_models": host.room,
            "num_parallel": host.slots,
            "version": "0.35.0",
        },
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
