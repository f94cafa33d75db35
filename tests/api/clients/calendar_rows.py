"""Posts of a calendar, written as rows: in every status, or thousands of them."""

from datetime import datetime, timedelta

from sqlalchemy import text

from tests.stack import Stack

_POSTS = text("""
INSERT INTO posts (id, workspace_id, workflow_id, status, content, media_items, tags, timezone, scheduled_for, due_at,
                   tiktok_settings, facebook_settings, answer_bytes, created_at, updated_at)
SELECT 'post_' || md5(workspaces.id || n), workspaces.id, 'wf_' || md5(workspaces.id || n), status, content, '[]',
       ARRAY['launch'], 'Europe/Berlin', moment, CASE WHEN status <> 'draft' THEN moment END, '{}', '{}', 1000, now(),
       now()
FROM workspaces, generate_series(0, CAST(:count AS int) - 1) AS n
  CROSS JOIN LATERAL (SELECT CAST(:first AS timestamptz) + n * CAST(:step AS interval) AS moment) AS moments
  JOIN unnest(CAST(:statuses AS text[])) WITH ORDINALITY AS statuses (status, status_number)
    ON status_number = 1 + n % cardinality(CAST(:statuses AS text[]))
  JOIN unnest(CAST(:texts AS text[])) WITH ORDINALITY AS texts (content, text_number)
    ON text_number = 1 + n % cardinality(CAST(:texts AS text[]))
WHERE workspaces.id = :workspace_id
""")
_TARGETS = text("""
INSERT INTO targets (id, post_id, workspace_id, position, platform, account_id, settings, status, platform_post_url,
                     hold_reason, error, error_code, error_category, retryable)
SELECT 'tgt_' || md5(posts.id || places.n), posts.id, posts.workspace_id, places.n - 1, places.platform,
       places.platform || '_acme', '{}',
       CASE posts.status WHEN 'draft' THEN 'pending' WHEN 'scheduled' THEN 'pending' WHEN 'publishing' THEN 'held'
         WHEN 'partial' THEN CASE places.n WHEN 1 THEN 'published' ELSE 'failed' END ELSE posts.status END,
       'https://social.example.com/acme/1',
       CASE posts.status WHEN 'publishing' THEN 'paused' END,
       CASE WHEN posts.status IN ('failed', 'partial') THEN 'X refused it as a duplicate.' END,
       CASE WHEN posts.status IN ('failed', 'partial') THEN 'duplicate_content' END,
       CASE WHEN posts.status IN ('failed', 'partial') THEN 'rejected' END, false
FROM posts, unnest(CAST(:platforms AS text[])) WITH ORDINALITY AS places (platform, n)
WHERE posts.workspace_id = :workspace_id
""")
STATUSES = ("published", "scheduled", "draft", "failed", "partial", "scheduled", "publishing")
TEXTS = (
    "Doors open at nine: everything about the winter market",
    "Behind the scenes with the people who bake your bread",
    "Last call for early birds <b>not bold</b>",
    "A recipe for the weekend \N{SHALLOW PAN OF FOOD}",
    "Thank you for ten thousand readers",
)


async def fill_calendar(
    stack: Stack,
    workspace_id: str,
    first: datetime,
    *,
    count: int = 60,
    step: timedelta = timedelta(hours=9),
    statuses: tuple[str, ...] = STATUSES,
) -> None:
    """Write posts from an instant on, one for each step, in turn in each status."""
    async with stack.database.transaction() as session:
        values = {"workspace_id": workspace_id, "first": first, "count": count, "step": step}
        await session.execute(_POSTS, {**values, "statuses": list(statuses), "texts": list(TEXTS)})
        await session.execute(_TARGETS, {"workspace_id": workspace_id, "platforms": ["twitter", "mastodon"]})
