-- Writes an event for each account and each API key of a listening workspace that ends within some time, once for each
-- end, and returns how many were written. It acts with the owner's rights: the worker may not read API keys.
CREATE FUNCTION emit_ends_v1(_within interval)
RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
  _end record;
  _count int := 0;
BEGIN
  -- Two that look at the same time would both write.
  IF NOT pg_try_advisory_xact_lock(hashtextextended('socialsyncer.ends', 0)) THEN
    RETURN 0;
  END IF;
  FOR _end IN
    SELECT ends.* FROM (
      SELECT workspace_id, 'account.expiring' AS type, id, refresh_expires_at AS ends_at,
             json_build_object('platform', platform, 'accountId', id, 'endsAt', event_time_v1(refresh_expires_at)) AS data
      FROM accounts
      WHERE refresh_expires_at > now() AND refresh_expires_at <= now() + _within AND refused_at IS NULL
      UNION ALL
      SELECT workspace_id, 'api_key.expiring', id, expires_at,
             json_build_object('keyId', id, 'name', name, 'endsAt', event_time_v1(expires_at))
      FROM api_keys
      WHERE expires_at > now() AND expires_at <= now() + _within AND revoked_at IS NULL
    ) AS ends
    JOIN listeners USING (workspace_id)
    WHERE NOT EXISTS (
      SELECT FROM events
      WHERE events.workspace_id = ends.workspace_id AND events.type = ends.type
        AND events.type IN ('account.expiring', 'api_key.expiring')
        AND coalesce(events.data ->> 'accountId', events.data ->> 'keyId') = ends.id
        AND events.data ->> 'endsAt' = event_time_v1(ends.ends_at)
    )
  LOOP
    PERFORM emit_v1(_end.workspace_id, _end.type, NULL, _end.data);
    _count := _count + 1;
  END LOOP;
  RETURN _count;
END
$$
