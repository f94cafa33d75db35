-- Plans when a gate is closed from now on: replaces the part of its plan that is not past. When this is committed, no send
-- begins inside these ranges, in any process. Past ranges are kept for 30 days.
CREATE FUNCTION plan_gate_v1(_workspace_id text, _kind text, _id text, _planned tstzmultirange)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  _now timestamptz;
  _future tstzmultirange;
BEGIN
  PERFORM pg_advisory_xact_lock(7001, hashtext(_workspace_id));
  -- Read after the lock: no send lies inside a range that begins now.
  _now := clock_timestamp();
  _future := _planned * tstzmultirange(tstzrange(_now, NULL));
  INSERT INTO gates AS gate (workspace_id, kind, id, planned) VALUES (_workspace_id, _kind, _id, _future)
  ON CONFLICT (workspace_id, kind, id) DO UPDATE
  SET planned = gate.planned * tstzmultirange(tstzrange(_now - interval '30 days', _now)) + _future;
END
$$
