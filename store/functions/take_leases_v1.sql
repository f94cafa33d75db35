-- Renews the leases of a process, and gives it those that no process holds. Returns the names of the leases that it has,
-- for `_for` from now on by the database's clock.
CREATE FUNCTION take_leases_v1(_holder text, _names text[], _for interval)
RETURNS SETOF text
LANGUAGE sql
AS $$
  INSERT INTO leases AS lease (name, holder, until)
  -- In one order for all processes, or two of them could wait for each other.
  SELECT name, _holder, now() + _for FROM unnest(_names) AS name ORDER BY name
  ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
  WHERE lease.holder = excluded.holder OR lease.until <= now()
  RETURNING lease.name;
$$
