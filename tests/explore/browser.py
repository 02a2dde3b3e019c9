"""A page in real headless Chromium, over the DevTools protocol: what it asks for, what it complains of, how it looks.

``python -m tests.explore.browser PAGE OUT.png WIDTH [SELECTOR]`` takes the pictures for the docs.
"""

import asyncio
import base64
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 60.0


class Seen(NamedTuple):
    """What a page did.

    requests: addresses asked for beside the page; complaints: console errors and exceptions; widths in CSS pixels;
    outside: what hangs over the edge of the window;
    smallest: the smallest letters in a picture, as shown (px).
    """

    requests: list[str]
    complaints: list[str]
    window: int
    content: int
    outside: list[str]
    smallest: float


OUTSIDE = """
[...document.querySelectorAll('body *')].filter(one => {
  if (one.closest('.wide')) return false;
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !one.closest('svg');
}).map(one => one.tagName + ' ' + one.className).slice(0, 5)
"""

SMALLEST = """
Math.min(...[...document.querySelectorAll('svg text')].map(one => {
  const shown = one.getScreenCTM();
  return parseFloat(getComputedStyle(one).fontSize) * Math.hypot(shown.a, shown.b);
}), 1e9)
"""


class Chromium:
    """A browser that runs; one tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; events on the way are kept."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads(await asyncio.wait_for(self._socket.receive_str(), PATIENCE))
            if message.get("id") == self._number:
                assert "error" not in message, message
                answer: dict[str, Any] = message["result"]
                return answer
            self.events.append(message)

    async def until(self, event: str) -> None:
        """Returns when the event has come."""
        while not any(one.get("method") == event for one in self.events):
            self.events.append(json.loads(await asyncio.wait_for(self._socket.receive_str(), PATIENCE)))

    async def value(self, expression: str) -> Any:
        """What a script says."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def open(self, page: Path, width: int) -> None:
        """Opens a page from its file in a window of this width."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        mobile = width < 500
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=mobile
        )
        await self.call("Page.navigate", url=page.as_uri())
        await self.until("Page.loadEventFired")

    async def seen(self, page: Path) -> Seen:
        """What the open page did, and how wide it is."""
        address = page.as_uri()
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        complaints = [
            json.dumps(e["params"])
            for e in self.events
            if e["method"] in {"Log.entryAdded", "Runtime.exceptionThrown"}
            or (e["method"] == "Runtime.consoleAPICalled" and e["params"]["type"] == "error")
        ]
        return Seen(
            [one for one in asked if one.partition("#")[0] != address and not one.startswith("data:")],
            complaints,
            await self.value("innerWidth"),
            await self.value("document.documentElement.scrollWidth"),
            await self.value(OUTSIDE),
            await self.value(SMALLEST),
        )


@asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """Debian's browser with a profile of its own; ended at the end."""
    binary = shutil.which("chromium")
    assert binary, "the page is looked at in a real browser: apt-get install chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            binary, *FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE):
                while (port := _port(Path(profile))) is None:
                    assert process.returncode is None, f"{binary} ended with {process.returncode}"
                    await asyncio.sleep(0.05)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    tabs = [one for one in await answer.json() if one["type"] == "page"]
                async with session.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Chromium(socket)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _port(profile: Path) -> str | None:
    told = profile / "DevToolsActivePort"
    text = told.read_text() if told.exists() else ""
    return text.splitlines()[0] if "\n" in text else None


async def look(page: Path, width: int) -> Seen:
    """Opens a page and says what it did."""
    async with chromium() as browser:
        await browser.open(page, width)
        return await browser.seen(page)


async def photograph(page: Path, out: Path, width: int, selector: str = "html") -> None:
    """A picture of the page, or of the first thing that a CSS selector finds on it."""
    async with chromium() as browser:
        await browser.open(page, width)
        chosen = f"document.querySelector({json.dumps(selector)})"
        box = json.loads(await browser.value(f"JSON.stringify({chosen}.getBoundingClientRect())"))
        clip = {key: box[key] for key in ("x", "y", "width", "height")} | {"scale": 1}
        shot = await browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        out.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240  # nothing else waits


if __name__ == "__main__":
    asyncio.run(photograph(Path(sys.argv[1]).resolve(), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
