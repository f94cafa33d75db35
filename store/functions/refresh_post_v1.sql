-- Sets the status of a locked post from its targets, as domain.post.post_status does. `moving`: one of them is published,
-- or looked for, now. The caller notifies requests after its commit (store.announcer).
CREATE FUNCTION refresh_post_v1(_post_id text, _now timestamptz)
RETURNS TABLE (status text, published_at timestamptz, moving boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  _sum record;
BEGIN
  SELECT bool_or(status <> 'pending' OR begun_at IS NOT NULL) AS has_begun,
         bool_and(status IN ('published', 'failed') OR (status = 'unconfirmed' AND NOT confirming)) AS settled,
         bool_and(status = 'published') AS published,
         bool_and(status = 'failed') AS failed,
         bool_or(status IN ('pending', 'publishing') OR (status = 'unconfirmed' AND confirming)) AS moving,
         min(published_at) AS published_at
  INTO _sum
  FROM targets WHERE post_id = _post_id;
  RETURN QUERY
  UPDATE posts
  SET status = CASE
        WHEN posts.status = 'scheduled' AND NOT _sum.has_begun THEN 'scheduled'
        WHEN NOT _sum.settled THEN 'publishing'
        WHEN _sum.published THEN 'published'
        WHEN _sum.failed THEN 'failed'
        ELSE 'partial'
      END,
      published_at = _sum.published_at,
      updated_at = _now
  WHERE posts.id = _post_id
  RETURNING posts.status, posts.published_at, _sum.moving;
END
$$
