-- Writes into the audit trail the newest lines of a post's history that would be lost with its rows, before the post is
-- deleted: who created it, when it was late, and the steps towards platforms. store.posts.history reads the same from the
-- rows of an existing post. Acts with the owner's rights: these lines keep their own times, which no process may set.
CREATE FUNCTION keep_history_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
  -- The trail of a workspace that is deleted goes with it.
  IF NOT EXISTS (SELECT FROM workspaces WHERE id = old.workspace_id) THEN
    RETURN old;
  END IF;
  INSERT INTO audit_events (at, workspace_id, post_id, action, actor_type, actor_id, platform, account_id, details)
  SELECT at, old.workspace_id, old.id, action, actor_type, actor_id, platform, account_id, jsonb_strip_nulls(details)
  FROM (
    SELECT * FROM (
      SELECT old.created_at AS at, 0 AS source, 0::bigint AS number, 'created' AS action,
             CASE WHEN old.created_by IS NULL THEN 'worker' ELSE 'api_key' END AS actor_type, old.created_by AS actor_id,
             NULL AS platform, NULL AS account_id, '{}'::jsonb AS details
      UNION ALL
      -- As the row has it: its reader decides which action it was.
      SELECT attempts.started_at, 1, attempts.id, 'attempt', 'worker', NULL, targets.platform, targets.account_id,
             to_jsonb(attempts) || jsonb_build_object(
               'platform_post_id', targets.platform_post_id, 'platform_post_url', targets.platform_post_url)
      FROM attempts JOIN targets ON targets.id = attempts.target_id
      WHERE targets.post_id = old.id AND attempts.step NOT IN ('resolve', 'correct')
      UNION ALL
      SELECT late_posts.found_at, 2, 0, 'late', 'worker', NULL, NULL, NULL,
             jsonb_build_object('dueAt', late_posts.due_at, 'endedAt', late_posts.ended_at)
      FROM late_posts
      WHERE late_posts.post_id = old.id
      UNION ALL
      SELECT begun_at, 3, position, 'late', 'worker', NULL, targets.platform, targets.account_id,
             jsonb_build_object('dueAt', due_at, 'endedAt', begun_at)
      FROM targets
      WHERE post_id = old.id AND begun_at - due_at >= interval '5 seconds' AND begun_at - due_at < interval '1 minute'
    ) AS lines
    ORDER BY at DESC, source DESC, number DESC
    LIMIT 500
  ) AS newest
  ORDER BY at, source, number;
  RETURN old;
END
$$
