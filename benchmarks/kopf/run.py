"""An operator written with kopf, against `api.py`: prints what it took, as numbers on one line.

`python run.py PORT COUNT SINGLE GAP`: seconds from the start until all COUNT objects were handled; PATCH requests per object
for that; seconds until a burst of COUNT edits was handled; PATCH requests per edit for that; and the median and 99th
percentile, in milliseconds, from an edit to its handler, of SINGLE edits with GAP seconds between.
"""

import asyncio
import logging
import sys
import time

import aiohttp
import kopf

PORT, COUNT, SINGLE, GAP = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
ITEMS = ("bench.example", "v1", "items")
# What has not been handled after so many seconds is not waited for.
PATIENCE = 120

logging.disable(logging.CRITICAL)
registry = kopf.OperatorRegistry()


class Seen:
    """Edits that were handled, by object, and how late."""

    edits: dict[str, int] = {}
    delays: list[float] = []


@kopf.on.login(registry=registry)
async def login(**_):
    return kopf.ConnectionInfo(server=f"http://127.0.0.1:{PORT}", insecure=True)


@kopf.on.startup(registry=registry)
async def startup(settings, **_):
    settings.posting.enabled = False
    settings.peering.standalone = True


@kopf.on.create(*ITEMS, registry=registry)
@kopf.on.resume(*ITEMS, registry=registry)
@kopf.on.update(*ITEMS, registry=registry)
async def handle(name, spec, **_):
    if Seen.edits.get(name) != spec["edit"]:
        Seen.edits[name] = spec["edit"]
        Seen.delays.append(time.time() - spec["at"])


async def until(holds) -> float:
    """Seconds until it holds."""
    start = time.perf_counter()
    while not holds():
        if time.perf_counter() - start > PATIENCE:
            raise SystemExit(f"kopf handled {len(Seen.edits)} of {COUNT} objects in {PATIENCE} s")
        await asyncio.sleep(0.002)
    return time.perf_counter() - start


async def main() -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{PORT}") as http:

        async def writes() -> int:
            """PATCH requests, when there are no more to come."""
            before, now = -1, 0
            while before != now:
                await asyncio.sleep(0.5)
                before = now
                async with http.get("/writes") as answer:
                    now = await answer.json()
            return now

        operator = asyncio.create_task(kopf.operator(registry=registry, clusterwide=True, standalone=True))
        first = await until(lambda: len(Seen.edits) == COUNT)
        patches = await writes()
        first_writes = patches / COUNT

        edited = {name: edit + 1 for name, edit in Seen.edits.items()}
        start = time.perf_counter()
        async with http.post(f"/edit?count={COUNT}&gap=0"):
            pass
        await until(lambda: Seen.edits == edited)
        burst = time.perf_counter() - start
        patches, before = await writes(), patches
        burst_writes = (patches - before) / COUNT

        Seen.delays.clear()
        async with http.post(f"/edit?count={SINGLE}&gap={GAP}"):
            pass
        await until(lambda: len(Seen.delays) >= SINGLE)
        delays = sorted(Seen.delays)
        p50, p99 = (delays[int(len(delays) * share)] * 1e3 for share in (0.5, 0.99))
        print(first, first_writes, burst, burst_writes, p50, p99, flush=True)
        operator.cancel()
        await asyncio.gather(operator, return_exceptions=True)


asyncio.run(main())
