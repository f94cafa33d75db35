-- Takes a target's slots in some buckets of its account: all of them, or none. A slot that is not free yet is reserved.
--
-- Returns the longest wait, zero if all slots are taken, and the window of the limit that causes it; the window is null
-- if the quota that the platform has reported causes it. Returns no row if `_asks` is true and no reported quota holds
-- now: then the platform must be asked for its quota first.
--
-- `_last_attempt_id` is the target's last send, 0 if there was none: each send needs a slot of its own. A slot that was
-- taken before is taken again, and counts from then on. `_buckets` are objects with `step` and `limits`. A limit has
-- `most`, `per` in seconds, and `longest` if the number that the platform has reported replaces `most`. Slots are kept
-- for `_kept` if no limit has a longer window. If a target has not used its slot `_missed_after` its time, later targets
-- may go first.
CREATE FUNCTION acquire_slots_v1(
  _platform text,
  _server text,
  _account_id text,
  _target_id text,
  _last_attempt_id bigint,
  _buckets jsonb,
  _asks boolean,
  _kept interval,
  _missed_after interval
)
RETURNS TABLE (wait interval, per interval)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
  _bucket record;
  _reported record;
  _slot bigint;
  _now timestamptz;
  _since timestamptz;
  _full record;
  _free bigint[] := '{}';
  _longest interval := interval '0';
  _window interval;
BEGIN
  FOR _bucket IN
    SELECT value ->> 'step' AS step, value -> 'limits' AS limits
    FROM jsonb_array_elements(_buckets) WITH ORDINALITY ORDER BY ordinality
  LOOP
    INSERT INTO rate_limit_buckets (platform, server, account_id, step)
    VALUES (_platform, _server, _account_id, _bucket.step)
    -- Changes nothing, but locks the row until the transaction ends: slots are handed out one at a time.
    ON CONFLICT (platform, server, account_id, step) DO UPDATE SET step = excluded.step
    RETURNING reported_at, reported_remaining, reported_until, reported_limit INTO _reported;
    INSERT INTO rate_limit_slots (platform, server, account_id, step, target_id, last_attempt_id, at, taken)
    VALUES (_platform, _server, _account_id, _bucket.step, _target_id, _last_attempt_id, now(), false)
    ON CONFLICT (target_id, step, last_attempt_id) DO UPDATE SET target_id = excluded.target_id
    RETURNING id INTO _slot;
    _now := clock_timestamp();
    IF _asks AND _bucket.step = 'publish' AND coalesce(_reported.reported_until <= _now, true) THEN
      RETURN;
    END IF;
    _since := _now - greatest(
      _kept, (SELECT make_interval(secs => max((value ->> 'per')::float8)) FROM jsonb_array_elements(_bucket.limits))
    );
    -- Statements of their own: they see the slots that were taken while this one waited for the lock.
    DELETE FROM rate_limit_slots
    WHERE platform = _platform AND server = _server AND account_id = _account_id AND step = _bucket.step
      AND at < _since AND id <> _slot;
    WITH earlier AS MATERIALIZED (
      SELECT slots.at FROM rate_limit_slots AS slots
      WHERE slots.platform = _platform AND slots.server = _server AND slots.account_id = _account_id
        AND slots.step = _bucket.step AND slots.at >= _since AND slots.id <> _slot
        AND (slots.taken OR (slots.id < _slot AND slots.at >= _now - _missed_after AND EXISTS (
          SELECT FROM targets
          WHERE targets.id = slots.target_id AND targets.status IN ('pending', 'publishing', 'held'))))
    ), waits AS (
      -- The slot which as many others follow as a window may hold: that long after it there is room again. Slots given
      -- in this way are in order, and the limit holds in every window, also between slots that are given already.
      SELECT full_since.at + rate_limit.per AS until, rate_limit.per
      FROM (
        SELECT CASE WHEN (value ->> 'longest')::boolean THEN coalesce(_reported.reported_limit, (value ->> 'most')::int)
                    ELSE (value ->> 'most')::int END AS most,
               make_interval(secs => (value ->> 'per')::float8) AS per
        FROM jsonb_array_elements(_bucket.limits)
      ) AS rate_limit
      CROSS JOIN LATERAL (SELECT at FROM earlier ORDER BY at DESC OFFSET rate_limit.most - 1 LIMIT 1) AS full_since
      UNION ALL
      SELECT _reported.reported_until, NULL
      WHERE _reported.reported_until > _now
        AND (SELECT count(*) FROM earlier WHERE at > _reported.reported_at) >= _reported.reported_remaining
    )
    SELECT until, waits.per INTO _full FROM waits WHERE until > _now ORDER BY until DESC LIMIT 1;
    UPDATE rate_limit_slots SET at = coalesce(_full.until, _now), taken = _full.until IS NULL WHERE id = _slot;
    IF _full.until IS NULL THEN
      _free := _free || _slot;
    ELSIF _full.until - _now > _longest THEN
      _longest := _full.until - _now;
      _window := _full.per;
    END IF;
  END LOOP;
  IF _longest > interval '0' THEN
    -- Slots that are free, but cannot be used yet, are released for others.
    DELETE FROM rate_limit_slots WHERE id = ANY(_free);
  END IF;
  RETURN QUERY SELECT _longest, _window;
END
$$
