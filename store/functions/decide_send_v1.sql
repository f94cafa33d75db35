-- Returns 'go' if a target of a post may be sent, else why not, as domain.ownership.decide_send does. `_known` is the
-- version that the step knows, null for any; the post must be due by `_due_by`, null for due or not.
CREATE FUNCTION decide_send_v1(_status text, _due_at timestamptz, _version int, _known int, _due_by timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE
    WHEN _status = 'draft' OR _due_at IS NULL THEN 'gone'
    WHEN _version <> _known THEN 'superseded'
    WHEN _status = 'scheduled' AND _due_at > _due_by THEN 'early'
    ELSE 'go'
  END
$$
