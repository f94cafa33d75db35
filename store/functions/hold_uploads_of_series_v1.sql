-- Sets the uploads that the posts of a series to come will name. As keep_upload_uses_v1, it does not hold an upload that is
-- being deleted.
CREATE FUNCTION hold_uploads_of_series_v1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  new.upload_ids := ARRAY(
    SELECT id FROM uploads
    WHERE workspace_id = new.workspace_id AND state <> 'deleted'
      AND token = ANY (upload_tokens_v1(new.contents::text))
    ORDER BY id FOR KEY SHARE
  );
  RETURN new;
END
$$
