-- Makes the deliveries of new events, for the endpoints that want them and were switched on when they happened. Returns the
-- endpoints that can be sent theirs now.
--
-- It is called by one worker, some times a second: transactions that settle posts write no deliveries, and many events are
-- done together. All events of transactions before `low` have been done; those behind it may have been, and are not done
-- twice.
CREATE FUNCTION make_deliveries_v1()
RETURNS TABLE (endpoint_id text, endpoint_workspace_id text)
LANGUAGE plpgsql
-- New events are few beside all, which the planner cannot know: an index has them in the order of their transactions.
SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
  _low xid8;
  _next xid8;
  _made int;
BEGIN
  -- By the snapshot of an earlier statement than the one that reads events: that one sees all transactions before `_next`.
  SELECT low, pg_snapshot_xmin(pg_current_snapshot()) INTO _low, _next FROM delivery_progress;
  RETURN QUERY
  WITH made AS (
    INSERT INTO deliveries AS delivery (webhook_id, event_id)
    SELECT webhooks.id, events.id
    FROM webhooks JOIN events ON events.workspace_id = webhooks.workspace_id AND events.xid >= _low
    WHERE events.type <> 'webhook.test' AND wants_event_v1(webhooks.events, events.type)
      AND events.at >= webhooks.created_at
      -- Not while it is off, and not while it was off last.
      AND (webhooks.enabled OR events.at < webhooks.disabled_at)
      AND NOT coalesce(events.at >= webhooks.disabled_at AND events.at < webhooks.enabled_at, false)
    ORDER BY events.id, webhooks.id
    ON CONFLICT DO NOTHING
    RETURNING delivery.webhook_id
  )
  SELECT DISTINCT webhooks.id::text, webhooks.workspace_id::text
  FROM made JOIN webhooks ON webhooks.id = made.webhook_id
  WHERE webhooks.enabled AND (webhooks.probe_at IS NULL OR webhooks.probe_at <= clock_timestamp());
  GET DIAGNOSTICS _made = ROW_COUNT;
  -- Rarely if there is nothing new, so that an idle database writes little.
  UPDATE delivery_progress SET low = _next, at = clock_timestamp()
  WHERE _made > 0 OR at < clock_timestamp() - interval '10 seconds';
END
$$
