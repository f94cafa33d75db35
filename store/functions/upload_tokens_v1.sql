-- Returns the tokens of the uploads whose addresses a text of JSON contains (domain.uploads).
CREATE FUNCTION upload_tokens_v1(_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE
AS $$
  SELECT ARRAY(SELECT DISTINCT match[1] FROM regexp_matches(_text, '/media/u/([A-Za-z0-9_-]{32})/', 'g') AS match)
$$
