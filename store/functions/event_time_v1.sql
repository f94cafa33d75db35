-- Returns a time as events have it.
CREATE FUNCTION event_time_v1(_at timestamptz)
RETURNS text
LANGUAGE sql STABLE
AS $$
  SELECT to_char(_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$
