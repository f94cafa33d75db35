-- Returns whether no gate that is closed, by a pause or by a plan, stops a workspace's posts to an account, of a campaign and of a series, from being sent; null
-- for a post that is of no campaign or series. Until the transaction ends, no gate of the workspace closes: close_gate_v1
-- takes the same lock alone. So a send that has passed is committed before a gate closes, or begins after it has opened.
--
-- The caller has locked the post. The order is the post first, then the gate.
CREATE FUNCTION pass_gate_v2(_workspace_id text, _platform text, _account_id text, _campaign_id text, _series_id text)
RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7001, hashtext(_workspace_id));
  -- A statement of its own: it sees what was committed while this one waited for the lock.
  RETURN NOT EXISTS (
    SELECT FROM gates
    WHERE workspace_id = _workspace_id AND (closed @> clock_timestamp() OR planned @> clock_timestamp())
      AND (kind, id) IN (
        ('workspace', ''), ('account', _platform || '/' || _account_id), ('campaign', _campaign_id), ('series', _series_id)
      )
  );
END
$$
