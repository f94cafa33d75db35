-- Closes a gate, unless it is closed, and returns since when it is. When this is committed, no send that the gate stops can
-- begin, in any process. The ranges in which a gate was closed are kept for 30 days after they end.
CREATE FUNCTION close_gate_v1(_workspace_id text, _kind text, _id text)
RETURNS timestamptz
LANGUAGE plpgsql
AS $$
DECLARE
  _now timestamptz;
  _closed tstzmultirange;
BEGIN
  PERFORM pg_advisory_xact_lock(7001, hashtext(_workspace_id));
  -- Read after the lock: no send lies inside the range.
  _now := clock_timestamp();
  INSERT INTO gates AS gate (workspace_id, kind, id, closed)
  VALUES (_workspace_id, _kind, _id, tstzmultirange(tstzrange(_now, 'infinity')))
  ON CONFLICT (workspace_id, kind, id) DO UPDATE
  SET closed = gate.closed * tstzmultirange(tstzrange(_now - interval '30 days', 'infinity')) + excluded.closed
  WHERE NOT gate.closed @> _now;
  SELECT closed INTO _closed FROM gates WHERE workspace_id = _workspace_id AND kind = _kind AND id = _id;
  RETURN (SELECT lower(part) FROM unnest(_closed) AS part WHERE part @> _now);
END
$$
