-- Returns the next_delivery_at of a post that a bulk operation inserts or changes, with 0 delivery_attempts: the moment at
-- which its workflow must be told at the latest. NULL if it is due soon: it is delivered at once. A draft has no time.
CREATE FUNCTION bulk_delivery_at_v1(_due_at timestamptz)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $$
  SELECT CASE WHEN _due_at IS NULL THEN now() + interval '10 minutes'
              WHEN _due_at > now() + interval '60 seconds' THEN _due_at - interval '60 seconds' END
$$
