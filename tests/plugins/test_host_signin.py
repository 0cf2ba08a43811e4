"""A plugin's ways of signing in, its calls to a provider, and its models."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ostler.integrations.plugins.plugin import HttpCall, PluginError, PluginRefused
from tests.support.plugin_host import ON_EACH, hosting

Json = dict[str, Any]

SIGN_IN = """\
import http from "node:http"

// A provider on loopback: it answers in pieces, each when it is asked to go on.
const server = http.createServer(async (request, response) => {
  let body = ""
  for await (const piece of request) body += piece
  const { authorization } = request.headers
  response.writeHead(200, { "content-type": "text/event-stream", "x-auth": authorization })
  response.write(`data: ${body}\\n\\n`)
  if (request.url === "/endless") {
    const timer = setInterval(() => response.write("data: more\\n\\n"), 5)
    response.on("close", () => { clearInterval(timer); globalThis.closed = true })
    return
  }
  response.end("data: [DONE]\\n\\n")
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
server.unref()
const baseURL = `http://127.0.0.1:${server.address().port}`
let loads = 0

export const S = async () => ({
  "shell.env": async (_i, output) => { output.closed = Boolean(globalThis.closed) },
  auth: {
    provider: "acme",
    async loader(getAuth, provider) {
      loads++
      if (provider.id === "broken") throw new Error("no such provider")
      if (provider.id === "plain") return { apiKey: (await getAuth()).key, headers: { a: "b" } }
      return {
        apiKey: "",
        baseURL,
        loads,
        refresh: () => "a function is not told",
        async fetch(input, init) {
          const auth = await getAuth()
          const headers = new Headers(init.headers)
          headers.set("authorization", `Bearer ${auth.access}`)
          if (JSON.parse(init.body).fail) throw new Error("expired")
          return fetch(input, { ...init, headers })
        },
      }
    },
    methods: [
      {
        type: "oauth",
        label: "Acme account",
        prompts: [
          { type: "text", key: "host", message: "Host", placeholder: "acme.example",
            validate: (value) => (value.includes(".") ? undefined : "not a host") },
          { type: "select", key: "plan", message: "Plan", options: [{ label: "Pro", value: "pro" }],
            condition: (inputs) => inputs.host === "own.example" },
        ],
        async authorize(inputs) {
          return {
            url: `https://${inputs.host}/authorize`,
            instructions: "Enter the code",
            method: "code",
            async callback(code) {
              if (code !== "right") return { type: "failed" }
              return { type: "success", refresh: "r", access: "a", expires: 7 }
            },
          }
        },
      },
      { type: "api", label: "Key", async authorize() { return { type: "success", key: "k" } } },
      { type: "api", label: "Plain key" },
      { type: "oauth", label: "Broken", async authorize() { throw new Error("the site is down") } },
      { type: "oauth", label: "Device", async authorize() {
        const callback = async () => ({ type: "failed" })
        return { url: "u", instructions: "i", method: "auto", callback }
      } },
    ],
  },
  provider: {
    id: "acme",
    async models(provider, { auth }) {
      return { ...provider.models, large: { id: "large", key: auth?.key } }
    },
  },
})
"""
FILES = {"plugin/sign-in.js": SIGN_IN}


@ON_EACH
async def test_what_can_be_signed_in_to(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        (auth,) = hosted.plugin.auth
        assert auth.provider == "acme"
        assert auth.has_loader
        assert [(m.type, m.label, m.authorize) for m in auth.methods] == [
            ("oauth", "Acme account", True),
            ("api", "Key", True),
            ("api", "Plain key", False),
            ("oauth", "Broken", True),
            ("oauth", "Device", True),
        ]
        host, plan = auth.methods[0].prompts
        assert host == {
            "type": "text",
            "key": "host",
            "message": "Host",
            "placeholder": "acme.example",
            "validate": True,
            "condition": False,
        }
        assert plan["options"] == [{"label": "Pro", "value": "pro"}]
        assert await auth.validate(0, 0, "acme.example") is None
        assert await auth.validate(0, 0, "acme") == "not a host"
        assert await auth.condition(0, 1, {"host": "own.example"})
        assert not await auth.condition(0, 1, {"host": "acme.example"})


@ON_EACH
async def test_signing_in(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        (auth,) = hosted.plugin.auth
        begun = await auth.authorize(0, {"host": "acme.example"})
        handle = begun.pop("handle")
        assert begun == {
            "url": "https://acme.example/authorize",
            "instructions": "Enter the code",
            "method": "code",
        }
        done = {"type": "success", "refresh": "r", "access": "a", "expires": 7}
        assert await auth.callback(handle, "right") == done
        with pytest.raises(PluginError, match="has ended"):
            await auth.callback(handle, "right")
        again = await auth.authorize(0, {"host": "acme.example"})
        assert await auth.callback(again["handle"], "wrong") == {"type": "failed"}
        assert await auth.authorize(1) == {"type": "success", "key": "k"}
        device = await auth.authorize(4)
        assert await auth.callback(device["handle"]) == {"type": "failed"}
        with pytest.raises(PluginRefused, match="the site is down"):
            await auth.authorize(3)


class Credential:
    def __init__(self) -> None:
        self.value: Json = {"type": "oauth", "access": "first", "key": "k"}
        self.asked = 0

    async def __call__(self) -> Json:
        self.asked += 1
        return self.value


async def text_of(body: Any) -> str:
    return b"".join([piece async for piece in body]).decode()


@ON_EACH
async def test_requests_go_through_the_plugin(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        (auth,) = hosted.plugin.auth
        stored = Credential()
        options = await auth.load(stored, {"id": "acme"})
        base = options.options["baseURL"]
        assert options.has_fetch
        assert options.options == {"apiKey": "", "baseURL": base, "loads": 1}
        body = json.dumps({"messages": ["ä"]}).encode()
        headers = {"content-type": "application/json"}
        call = HttpCall(method="POST", url=f"{base}/v1/chat", headers=headers, body=body)
        answer = await options.fetch(call)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-auth"] == "Bearer first"
        assert await text_of(answer.body) == f"data: {body.decode()}\n\ndata: [DONE]\n\n"
        stored.value = {"access": "second"}  # refreshed since
        answer = await options.fetch(call)
        assert answer.headers["x-auth"] == "Bearer second"
        await text_of(answer.body)
        assert stored.asked == 2
        failing = HttpCall(method="POST", url=f"{base}/", body=b'{"fail": 1}')
        with pytest.raises(PluginRefused, match="expired"):
            await options.fetch(failing)


@ON_EACH
async def test_a_stream_is_let_go(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        options = await hosted.plugin.auth[0].load(Credential(), {"id": "acme"})
        url = f"{options.options['baseURL']}/endless"
        answer = await options.fetch(HttpCall(method="POST", url=url, body=b"{}"))
        pieces = 0
        async for _ in answer.body:
            pieces += 1
            if pieces == 3:
                break
        await answer.body.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            while not (await hosted.plugin.call("shell.env", {}, {}))["closed"]:
                pass


@ON_EACH
async def test_options_without_a_fetch(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        (auth,) = hosted.plugin.auth
        options = await auth.load(Credential(), {"id": "plain"})
        assert options.options == {"apiKey": "k", "headers": {"a": "b"}}
        assert not options.has_fetch
        with pytest.raises(PluginError, match="no fetch"):
            await options.fetch(HttpCall(method="GET", url="http://127.0.0.1/"))
        with pytest.raises(PluginRefused, match="no such provider"):
            await auth.load(Credential(), {"id": "broken"})


@ON_EACH
async def test_after_the_host_was_started_again(runtime: str, tmp_path: Path) -> None:
    """The provider is on another port then: what the loader made is made again."""
    async with hosting(runtime, tmp_path, FILES) as hosted:
        options = await hosted.plugin.auth[0].load(Credential(), {"id": "acme"})
        await hosted.host.kill()
        await hosted.host.restart()
        await options.load()
        url = f"{options.options['baseURL']}/v1"
        await hosted.host.restart()
        with pytest.raises(PluginRefused):  # reached the plugin, which reached nobody
            await options.fetch(HttpCall(method="POST", url=url, body=b"{}"))
        url = f"{options.options['baseURL']}/v1"
        answer = await options.fetch(HttpCall(method="POST", url=url, body=b"{}"))
        assert await text_of(answer.body)
        options.close()


@ON_EACH
async def test_models_of_a_provider(runtime: str, tmp_path: Path) -> None:
    async with hosting(runtime, tmp_path, FILES) as hosted:
        (provider,) = hosted.plugin.providers
        assert (provider.id, provider.has_models) == ("acme", True)
        given = {"id": "acme", "models": {"small": {"id": "small"}}}
        models = await provider.models(given, {"key": "k"})
        assert models == {"small": {"id": "small"}, "large": {"id": "large", "key": "k"}}
        assert (await provider.models(given, None))["large"] == {"id": "large"}
