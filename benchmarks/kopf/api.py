"""As much of a Kubernetes API as kopf asks for, with some objects in it, on a free port of the loopback network.

`python api.py COUNT` prints the port. Besides the API: `POST /edit?count=N&gap=SECONDS` edits objects one after the other
as somebody with kubectl would, and `GET /writes` says how many PATCH requests there were.
"""

import asyncio
import json
import sys
import time

from aiohttp import web

GROUP, VERSION, PLURAL = "bench.example", "v1", "items"


class Api:
    """The objects, who watches them, and how often they were patched."""

    def __init__(self, count: int) -> None:
        self.version = 1
        self.patches = 0
        self.watchers: set[asyncio.Queue[bytes]] = set()
        self.objects = {f"item-{number}": self.new(number) for number in range(count)}

    def new(self, number: int) -> dict:
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "Item",
            "metadata": {
                "name": f"item-{number}",
                "namespace": "default",
                "uid": f"00000000-0000-0000-0000-{number:012}",
                "resourceVersion": "1",
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"edit": 0, "at": 0.0},
        }

    def changed(self, item: dict) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        line = json.dumps({"type": "MODIFIED", "object": item}).encode() + b"\n"
        for watcher in self.watchers:
            watcher.put_nowait(line)

    async def list_or_watch(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") == "true":
            return await self.watch(request)
        return web.json_response({
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ItemList",
            "metadata": {"resourceVersion": str(self.version)},
            "items": list(self.objects.values()),
        })

    async def watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        changes: asyncio.Queue[bytes] = asyncio.Queue()
        self.watchers.add(changes)
        try:
            await response.prepare(request)
            while True:
                await response.write(await changes.get())
        except ConnectionError:
            return response
        finally:
            self.watchers.discard(changes)

    async def patch(self, request: web.Request) -> web.Response:
        item = self.objects[request.match_info["name"]]
        self.patches += 1
        before = json.dumps(item)
        merge(item, json.loads(await request.read()))
        if json.dumps(item) != before:
            self.changed(item)
        return web.json_response(item)

    async def edit(self, request: web.Request) -> web.Response:
        count, gap = int(request.query["count"]), float(request.query["gap"])
        names = list(self.objects)
        for number in range(count):
            item = self.objects[names[number % len(names)]]
            item["spec"] = {"edit": item["spec"]["edit"] + 1, "at": time.time()}
            item["metadata"]["generation"] += 1
            self.changed(item)
            if gap:
                await asyncio.sleep(gap)
        return web.json_response({})

    async def writes(self, _: web.Request) -> web.Response:
        return web.json_response(self.patches)


def merge(into: dict, patch: dict) -> None:
    """A merge patch: null takes away, objects are merged, everything else replaces."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            merge(into[key], value)
        else:
            into[key] = value


def resources(*described: tuple[str, str, bool]):
    """The answer to the question what there is of a group."""
    verbs = ["list", "watch", "get", "patch", "create"]
    answer = {
        "kind": "APIResourceList",
        "resources": [
            {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": verbs}
            for plural, kind, namespaced in described
        ],
    }
    return constant(answer)


def constant(answer: dict):
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(answer)

    return handler


async def nothing(request: web.Request) -> web.StreamResponse:
    """A list that is empty and stays so."""
    if request.query.get("watch") == "true":
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
    return web.json_response({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []})


async def main(count: int) -> None:
    api = Api(count)
    group = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    extensions = {"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"}
    groups = [
        {"name": GROUP, "versions": [group], "preferredVersion": group},
        {"name": "apiextensions.k8s.io", "versions": [extensions], "preferredVersion": extensions},
    ]
    app = web.Application()
    app.add_routes([
        web.get("/api", constant({"kind": "APIVersions", "versions": ["v1"]})),
        web.get("/apis", constant({"kind": "APIGroupList", "groups": groups})),
        web.get("/api/v1", resources(("namespaces", "Namespace", False), ("events", "Event", True))),
        web.get("/api/v1/namespaces", nothing),
        web.get(
            "/apis/apiextensions.k8s.io/v1", resources(("customresourcedefinitions", "CustomResourceDefinition", False))
        ),
        web.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", nothing),
        web.get(f"/apis/{GROUP}/{VERSION}", resources((PLURAL, "Item", True))),
        web.get(f"/apis/{GROUP}/{VERSION}/{PLURAL}", api.list_or_watch),
        web.patch(f"/apis/{GROUP}/{VERSION}/namespaces/default/{PLURAL}/{{name}}", api.patch),
        web.post("/edit", api.edit),
        web.get("/writes", api.writes),
    ])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    # Until nobody wants it any more.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(int(sys.argv[1])))
