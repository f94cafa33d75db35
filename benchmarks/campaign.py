"""A campaign of 60 posts from a CSV, as a client's script runs it: it imports, moves, partly cancels and corrects them.

`uv run python -m benchmarks.campaign --data-dir DIR` runs it on a running `socialsyncer dev` and prints what each step
cost. It knows the API from its documents alone, and does no arithmetic on time zones.
"""

import argparse
import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

PLATFORMS = ("twitter", "mastodon", "bluesky", "linkedin", "threads")
ZONE = "Europe/Berlin"
POSTS = 60
TO_REFUSE = 3
AT_A_TIME = 100


class Campaign:
    """One run against a stack; `steps` holds the requests and seconds of each step."""

    def __init__(self, dev: dict[str, Any]) -> None:
        self.http = httpx.Client(
            base_url=dev["apiUrl"], headers={"Authorization": f"Bearer {dev['apiKey']}"}, timeout=40, trust_env=False
        )
        self.sandbox = httpx.Client(base_url=dev["sandboxUrl"], timeout=40, trust_env=False)
        self.accounts = {account["platform"]: account["accountId"] for account in reversed(dev["accounts"])}
        self.requests = 0
        self.steps: list[tuple[str, int, float]] = []
        self._name = f"campaign-{int(time.time())}"

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request and return its answer. Raises SystemExit with the API's message if it is refused."""
        self.requests += 1
        response = self.http.request(method, path, **options)
        if response.is_error:
            raise SystemExit(f"{method} {path}: {response.status_code} {response.text}")
        answer: dict[str, Any] = response.json()
        return answer

    def listed(self, **query: str) -> Iterator[dict[str, Any]]:
        """Yield the campaign's posts, page by page."""
        wanted = {"tag": self._name, "limit": "100", **query}
        while True:
            page = self.ask("GET", "/v1/posts", params=wanted)
            yield from page["posts"]
            if not page["hasMore"]:
                return
            wanted["cursor"] = page["cursor"]

    def table(self) -> str:
        """Return the campaign as a CSV: two posts a day from next Monday on, at nine and at five in Berlin."""
        start = date.today() + timedelta(days=7 - date.today().weekday())  # noqa: DTZ011 a day on the wall
        out = io.StringIO()
        rows = csv.writer(out)
        rows.writerow(["row", "when", "platforms", "text"])
        for row in range(POSTS):
            when = f"{start + timedelta(days=row // 2)}T{'09:00' if row % 2 == 0 else '17:00'}"
            platforms = " ".join(PLATFORMS[each % len(PLATFORMS)] for each in range(row, row + 1 + row % 3))
            rows.writerow([row, when, platforms, f"Winter {self._name}, post {row}"])
        return out.getvalue()

    def many(self, action: str, body: dict[str, Any], step: str) -> list[dict[str, Any]]:
        """Send one change of many posts, page by page; return their results. Raises SystemExit if one is refused.

        `step` names the script's step: if it runs again with the same name, the API does nothing twice.
        """
        key = {"Idempotency-Key": f"{self._name}-{step}"}
        results: list[dict[str, Any]] = []
        while True:
            answer = self.ask("POST", f"/v1/posts/bulk{action}", json=body, headers=key)
            if answer["failed"]:
                refused = next(result for result in answer["results"] if "error" in result)
                raise SystemExit(f"{step}: {answer['failed']} posts were refused, such as {refused}")
            results += answer["results"]
            if not answer["hasMore"]:
                return results
            body = {**body, "cursor": answer["cursor"]}
            key = {"Idempotency-Key": f"{self._name}-{step}-{len(results)}"}

    def import_all(self, table: str, step: str) -> None:
        """Create a post for each row; if it runs again, the API answers with the existing posts."""
        rows = list(csv.DictReader(io.StringIO(table)))
        posts = [
            {
                "content": row["text"],
                "platforms": [
                    {"platform": name, "accountId": self.accounts[name]} for name in row["platforms"].split()
                ],
                "scheduledFor": row["when"],
                "timezone": ZONE,
                "tags": [self._name],
                "externalId": f"{self._name}-{row['row']}",
            }
            for row in rows
        ]
        for first in range(0, len(posts), AT_A_TIME):
            results = self.many("", {"posts": posts[first : first + AT_A_TIME]}, f"{step}-{first}")
            if any(result.get("replayed", False) != (step == "again") for result in results):
                raise SystemExit(f"{step}: posts were created twice, or not at all")

    def move_by_a_day(self) -> None:
        """Move every post to the same wall time of the next day."""
        self.many("/update", {"filter": {"tag": [self._name]}, "change": {"shiftBy": "P1D"}}, "next-day")

    def cancel(self, platform: str) -> None:
        """Remove a platform from every post that is still scheduled."""
        fewer, none = [], []
        for post in self.listed(status="scheduled", platform=platform):
            left = [target for target in post["platforms"] if target["platform"] != platform]
            if left:
                fewer.append({"id": post["id"], "platforms": left})
            else:
                none.append(post["id"])
        self.many("/update", {"posts": fewer}, f"without-{platform}")
        self.many("/delete", {"ids": none}, f"only-{platform}")

    def publish_some(self) -> None:
        """Publish the first posts now; the sandbox refuses one target of each."""
        first = list(self.listed(status="scheduled", sort="scheduledFor"))[:TO_REFUSE]
        platforms = [[target["platform"] for target in post["platforms"]] for post in first]
        for own in platforms:
            # The posts are published concurrently. Only on a platform to which no other post goes is it known which
            # target is refused.
            alone = next(name for name in own if sum(name in platform for platform in platforms) == 1)
            fault = {"platform": alone, "operation": "publish", "fault": "reject"}
            self.sandbox.post("/_/faults", json=fault).raise_for_status()
        self.many("/update", {"posts": [{"id": post["id"], "publishNow": True} for post in first]}, "publish")

    def correct(self) -> int:
        """Change the text of failed posts and retry them; return how many were published."""
        changes = []
        for post in self.listed(status="failed,partial"):
            failed = [target for target in post["platforms"] if target["status"] == "failed"]
            again = {(target["platform"], target["accountId"]) for target in failed}
            text = f"{post['content']} (corrected)"
            targets = [
                {"platform": platform["platform"], "accountId": platform["accountId"]}
                | ({"customContent": text} if (platform["platform"], platform["accountId"]) in again else {})
                for platform in post["platforms"]
            ]
            changes.append({"id": post["id"], "platforms": targets})
        self.many("/update", {"posts": changes}, "correct")
        retried = self.many("/retry", {"filter": {"tag": [self._name], "status": ["failed", "partial"]}}, "retry")
        return sum(result["status"] == "published" for result in retried)

    def step(self, name: str, requests: int, began: float) -> None:
        """Record the cost of a step."""
        self.steps.append((name, self.requests - requests, time.monotonic() - began))

    def run(self) -> None:
        """Run all steps. Raises SystemExit if one has an unexpected result."""
        table = self.table()
        corrected = 0

        def correct() -> None:
            nonlocal corrected
            corrected = self.correct()

        steps: list[tuple[str, Callable[[], None]]] = [
            ("import", lambda: self.import_all(table, "import")),
            ("import again", lambda: self.import_all(table, "again")),
            ("move by a day", self.move_by_a_day),
            ("cancel one platform", lambda: self.cancel("threads")),
            ("publish, partly refused", self.publish_some),
            ("correct and retry", correct),
        ]
        for name, act in steps:
            requests, began = self.requests, time.monotonic()
            act()
            self.step(name, requests, began)
        left = list(self.listed())
        if corrected != TO_REFUSE or any(
            platform["platform"] == "threads" for post in left for platform in post["platforms"]
        ):
            raise SystemExit(f"{corrected} posts came out after their correction, of {TO_REFUSE}")


def main() -> None:
    """Run the campaign and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".socialsyncer"))
    campaign = Campaign(json.loads((parser.parse_args().data_dir / "dev.json").read_text()))
    campaign.run()
    print("| step | requests | seconds |\n|---|---|---|")
    for name, requests, seconds in campaign.steps:
        print(f"| {name} | {requests} | {seconds:.1f} |")
    print(f"| all | {sum(step[1] for step in campaign.steps)} | {sum(step[2] for step in campaign.steps):.1f} |")


if __name__ == "__main__":
    main()
