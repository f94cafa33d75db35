-- The age of the oldest transaction of this database; zero if none is open.
--
-- It acts with the owner's rights, because a role sees when others' transactions began only if it may. It returns no more
-- than the age. An owner who is no superuser does not see transactions of one: those of its own roles count.
CREATE FUNCTION oldest_transaction_v1()
RETURNS interval
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(greatest(clock_timestamp() - least(
    (SELECT min(xact_start) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'),
    (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database())
  ), interval '0'), interval '0')
$$
