-- Refuses an attempt that only a worker makes. A process that may not update attempts adds people's decisions alone, so a
-- step towards a platform in the history of a post is always a worker's.
CREATE FUNCTION check_attempt_v1() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE insufficient_privilege USING MESSAGE = 'permission denied: only a worker takes steps towards platforms';
END
$$
