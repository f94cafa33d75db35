-- Raises an error if this server was promoted since its rows were known to be complete: commits may be lost, and a post that
-- the rows show as not sent may be public. A statement that begins a send calls it, so that it begins none then.
--
-- The error says that the server cannot be used now: the step is repeated, as while the database is away.
CREATE FUNCTION check_server_v1()
RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
  _timeline text := (SELECT timeline FROM trusted_server);
BEGIN
  -- Nested, because a server without a log of its own does not know the functions.
  IF _timeline IS NOT NULL THEN
    IF _timeline <> left(pg_walfile_name(pg_current_wal_lsn()), 8) THEN
      RAISE EXCEPTION 'this server was promoted or restored, and its rows may lack commits'
        USING ERRCODE = 'cannot_connect_now',
          HINT = 'Run `socialsyncer restored`, with --nothing-lost if nothing is lost.';
    END IF;
  END IF;
  RETURN true;
END
$$
