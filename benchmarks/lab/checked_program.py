"""Runs in the sandbox: times a launch plan as the emulator's own driver runs it, checked.

It imports the driver (the same file, read-only beside it) and times the launches alone: no loading,
no copies. It reads what the driver reads and writes outputs.bin and times.json, a list of
[seconds, seconds of processor time].
"""

import json
import marshal
import os
import sys
import time


def main() -> None:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import driver  # type: ignore[import-not-found]

    job = marshal.loads(driver.contents("job.marshal"))
    emulator = driver.Emulator(job)
    times: list[list[float]] = []
    with open(sys.argv[1], "rb") as values, open("outputs.bin", "wb") as outputs:
        for number in range(len(job["rounds"])):
            emulator.fill_buffers(number, values)
            emulator.runtime.hip_emulator_set_noise(job["noise"][number])
            begun, processor = time.perf_counter(), time.process_time()
            done = emulator.run_plan(None)
            times.append([time.perf_counter() - begun, time.process_time() - processor])
            if done != len(job["launches"]):
                raise SystemExit("the checker stopped a launch")
            emulator.write_outputs(number, outputs)
    with open("times.json", "w") as file:
        json.dump(times, file)


if __name__ == "__main__":
    main()
