-- Returns what distinguishes this database from every other: the server's system identifier, which all standbys of a server and
-- all copies of its files share, and the database's own number. Null if the server does not tell.
CREATE FUNCTION server_identity_v1()
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN (SELECT system_identifier FROM pg_control_system()) || '/'
    || (SELECT oid FROM pg_database WHERE datname = current_database());
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$
