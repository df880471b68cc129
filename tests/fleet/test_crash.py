"""A process that asks a fleet for many answers is killed again and again at random moments."""

import random
import subprocess
import sys
import time
from pathlib import Path

from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from tests.fleet.ollama_server import Script, answers, serving
from tests.scale import scaled

REQUESTS = scaled(short=25, long=60)
KILLS = scaled(short=2, long=4)
ASKER = f"""
import sys
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.chat import ChatRequest
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.records.records import Records

folder, url = sys.argv[1:]
records = Records.open(folder + "/records.db", folder + "/store")
fleet = Fleet([Host(name="alpha", url=url)], records.journal, records.leases)
print("started", flush=True)
for seed in range({REQUESTS}):
    reply = fleet.chat(ChatRequest(
        role="kernel_dev", system="s", prompt=f"kernel {{seed}}", seed=seed, max_tokens=10,
        target="t", purpose="code"))
    assert reply.text == "answer", reply
print("done", flush=True)
"""


def test_kills_at_random_lose_no_answer_and_repeat_no_finished_call(tmp_path: Path) -> None:
    chance = random.Random(20)
    script = Script(answers("ans", "wer", after=0.06))
    with serving(script) as url:
        for _ in range(KILLS):
            asker = start(tmp_path, url)
            assert asker.stdout is not None
            assert asker.stdout.readline() == "started\n"
            time.sleep(chance.uniform(0.2, 0.6))
            while not script.running and asker.poll() is None:
                time.sleep(0.001)  # between two calls, and nothing would be unknown
            asker.kill()
            asker.communicate()
        asker = start(tmp_path, url)
        assert asker.communicate(timeout=60)[0].split() == ["started", "done"]
        calls = len(script.chats)
        again = start(tmp_path, url)
        assert again.communicate(timeout=60)[0].split() == ["started", "done"]
        assert len(script.chats) == calls

    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    outcomes = records.ledger.totals().agents.outcomes
    finished = [row for row in records.ledger.attempts() if row.status == Outcome.OK.value]
    assert len({row.intent_sha256 for row in finished}) == len(finished) == REQUESTS
    assert set(outcomes) <= {Outcome.OK, Outcome.UNKNOWN}
    assert 1 <= outcomes[Outcome.UNKNOWN] <= KILLS
    assert REQUESTS <= calls <= REQUESTS + outcomes[Outcome.UNKNOWN]


def start(folder: Path, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ASKER, str(folder), url], stdout=subprocess.PIPE, text=True
    )
