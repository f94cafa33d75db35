-- Returns the timeline of this server if its rows are not known to be complete (check_server_v1), else null. A post keeps it
-- from its creation: no send begins on such a timeline, so nothing of the post can be lost with the server before.
CREATE FUNCTION untrusted_timeline_v1()
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  _trusted text := (SELECT timeline FROM trusted_server);
BEGIN
  -- A server without a log of its own does not know the functions.
  IF _trusted IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN nullif(left(pg_walfile_name(pg_current_wal_lsn()), 8), _trusted);
END
$$
