"""Examples of errors of requests for files of clients."""

from api.posts.error_examples.example import ErrorExample

EXAMPLES: tuple[ErrorExample, ...] = (
    ("fileTooLarge", 413, "A file may have at most 5,000,000,000 bytes", "payload_too_large", "size"),
    (
        "formTooLarge",
        413,
        (
            "A file in a form may have 25,000,000 bytes; send larger ones to an address of POST "
            "/v1/media/presign, or in parts"
        ),
        "payload_too_large",
        None,
    ),
    ("partTooLarge", 413, "The body is larger than 16 MiB", "payload_too_large", None),
    (
        "quotaExceeded",
        422,
        "This workspace's files have room for 1,048,576 bytes more; delete some first",
        "storage_quota_exceeded",
        None,
    ),
    (
        "tooManyUploads",
        422,
        "This workspace has 100,000 files, as many as it may have; delete some",
        "too_many_uploads",
        None,
    ),
    (
        "tooManyFetches",
        429,
        "100 files of this workspace are still to be fetched; please wait",
        "rate_limited",
        None,
    ),
    (
        "uploadsNotConfigured",
        422,
        "The operator of this service has not set up a place for uploads",
        "uploads_not_configured",
        None,
    ),
    ("uploadDiffers", 422, "size is 412344, and 412345 was announced", "upload_differs", "size"),
    (
        "mediaRejected",
        422,
        "The bytes are no picture, video, document or subtitles: they are text/html",
        "media_rejected",
        None,
    ),
    ("notUploaded", 422, "The file has not been uploaded yet", "media_not_uploaded", None),
    ("uploadBusy", 409, "Another request is sending this file", "conflict", None),
    (
        "mediaInUse",
        409,
        "A draft, a post that is not published yet or a series uses this file; change or delete that first",
        "media_in_use",
        None,
    ),
    ("mediaNotFound", 404, "This workspace has no such file", "not_found", None),
    (
        "multipartNotFound",
        404,
        "This workspace has no such upload in parts, or it is complete",
        "not_found",
        None,
    ),
    ("fileMissing", 400, "The form must have one file, in the field file", "missing_required_field", "file"),
    (
        "noForm",
        415,
        "The body must be a form, sent with Content-Type: multipart/form-data",
        "unsupported_media_type",
        None,
    ),
    (
        "compressed",
        415,
        "The body must not be compressed: Content-Encoding is not supported",
        "unsupported_media_type",
        None,
    ),
)
