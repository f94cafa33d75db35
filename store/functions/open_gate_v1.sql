-- Opens a gate. The caller has locked the posts that it changes: the order is posts first, then the gate.
CREATE FUNCTION open_gate_v1(_workspace_id text, _kind text, _id text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7001, hashtext(_workspace_id));
  UPDATE gates SET closed = closed * tstzmultirange(tstzrange(NULL, clock_timestamp()))
  WHERE workspace_id = _workspace_id AND kind = _kind AND id = _id;
END
$$
