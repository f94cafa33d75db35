-- Returns the timeline of this server, which changes at each promotion and at each recovery to a point in time; the end of its
-- log in bytes; and whether a commit waits for a standby. Nulls if the server does not tell, as one without a log of its own.
CREATE FUNCTION server_position_v1(OUT timeline text, OUT log_end bigint, OUT waits_for_standby boolean)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  timeline := left(pg_walfile_name(pg_current_wal_lsn()), 8);
  log_end := (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint;
  waits_for_standby := current_setting('synchronous_standby_names') <> ''
    AND current_setting('synchronous_commit') NOT IN ('off', 'local');
EXCEPTION WHEN OTHERS THEN
  timeline := NULL;
END
$$
