"""One step's media as its platform takes them: fetched, cleaned, measured, checked against the rules, converted."""

import errno
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

import structlog

from domain.plan import NO_DISK_SPACE
from domain.post import Media, MediaType
from domain.shares import Exhausted, Share, TooManyWaiting
from media import limits
from media.admission import Admission, MediaBusy
from media.changes import ChangeRecord, MediaChange, NoChangeRecord
from media.decoder_pool import DecoderPool
from media.decoding.facts import MediaFacts
from media.decoding.jobs import IMAGES, VIDEOS
from media.own_uploads import OwnUpload
from media.public_files import PublicFiles
from media.refusals import TOO_LARGE, Refusals
from media.shared_files import SharedFile, SharedFiles
from media.stored import StoredFile
from platforms.base import AnyPlatform
from platforms.errors import NO_PUBLIC_URL, ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.rules import FileRule

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MediaTools:
    """The media tools of a worker's steps. Without `public_files`, files that platforms fetch cannot be converted."""

    files: SharedFiles
    decoder_pool: DecoderPool
    public_files: PublicFiles | None = None
    admission: Admission = field(default_factory=Admission)

    async def close(self) -> None:
        """Close connections and end the decoding processes."""
        await self.files.close()
        await self.decoder_pool.close()


_UNSTATED_BYTES = 2**29
"""The size up to which a video is fetched for a platform that states no limit; our choice."""

Fitted = tuple[StoredFile, MediaFacts | None, tuple[MediaChange, ...]]


class StepMedia:
    """The platforms.files.MediaSource of one step."""

    def __init__(
        self,
        tools: MediaTools,
        workspace_id: str,
        post_id: str,
        platform: AnyPlatform,
        rules: Iterable[FileRule],
        record: ChangeRecord | NoChangeRecord,
        progress: Callable[[str], None],
        covers: Mapping[str, FileRule] | None = None,
        target_id: str = "",
    ) -> None:
        self._tools = tools
        self._workspace_id = workspace_id
        self._post_id = post_id
        self._platform = platform
        self._rules = {rule.kind: rule for rule in rules}
        self._record = record
        self._progress = progress
        self._covers = covers or {}
        self._target_id = target_id
        self._sides: dict[MediaType, tuple[int, int]] = {}
        """The sides that all files of the post must have, by their kind."""
        self._most_bytes: int | None = None
        self._opened = 0
        self._held: Share | None = None
        self.sends = False
        """Whether the request that makes the post public has begun: from then on the step keeps its slot."""

    async def fetch(self, media: Iterable[Media]) -> None:
        """Fetch files that the step needs in a moment. Raises PlatformError as `open` does."""
        for item in media:
            async with self._file(item):
                pass

    @asynccontextmanager
    async def open(self, media: Media) -> AsyncIterator[MediaFile]:
        """Yield a file that may be sent, for the length of the block.

        Raises PlatformError: `rejected` for what the platform would not take and what cannot be fetched, `transient`
        for what may work a little later. It is a MediaBusy if the workspace has its share of what media need.
        """
        self._start_decoders(media)
        async with self._file(media) as shared:
            file, facts, removed = await self._examined(media, shared, cleaned=not self._platform.strips_metadata)
            async with self._fitted(media, file, facts) as (fitted, facts, changes):
                await self._record.save(media.url, (*removed, *changes))
                yield _with_facts(fitted, facts)

    def shrink_to(self, max_bytes: int) -> None:
        """Open pictures from now on with at most so many bytes: a server may take less than its platform's rules."""
        self._most_bytes = max_bytes

    def images_to_match(self, media: Sequence[Media]) -> list[Media]:
        """Return the images that must have the same sides; none if the platform takes them as they are."""
        rule = self._rules.get(MediaType.IMAGE)
        images = [item for item in media if item.type is MediaType.IMAGE and item.url not in self._covers]
        return images if rule and rule.same_sides and len(images) > 1 else []

    async def measure(self, media: Media) -> MediaFacts:
        """Return the facts of an image. Raises PlatformError as `open` does."""
        self._start_decoders(media)
        async with self._file(media) as shared:
            _, facts, _ = await shared.examine(self._tools.decoder_pool, cleaned=False)
            return facts

    def match_sides(self, images: Sequence[MediaFacts]) -> None:
        """Set the sides to which images are scaled from now on, if they can be kept here for the platform to fetch.

        Raises PlatformError, `rejected`, if their shapes differ.
        """
        sides = limits.common_sides(self._platform.label, self._rules[MediaType.IMAGE], images)
        if self._tools.public_files is not None:
            self._sides[MediaType.IMAGE] = sides

    async def address(self, media: Media) -> str:
        """Return the URL for the platform to fetch: the file's own, unless it had to be converted or hosted here.

        Raises PlatformError as `open` does; `operator` if it must be hosted here and this service has no public
        address.
        """
        if self._platform.pulls.from_verified_domain and self._tools.public_files is None:
            message = (
                f"{self._platform.label} fetches pictures only from an address that is proven to be this service's. "
                "Set SOCIALSYNCER_PUBLIC_URL, and verify it at the platform."
            )
            raise PlatformError(ErrorKind.OPERATOR, message, code=NO_PUBLIC_URL)
        self._start_decoders(media)
        async with self._file(media) as shared:
            file, facts, removed = await self._examined(media, shared, cleaned=self._cleans_address(shared))
            async with self._fitted(media, file, facts, converts=self._tools.public_files is not None) as (
                fitted,
                _,
                changes,
            ):
                is_unchanged = fitted is shared.stored
                if is_unchanged and shared.upload:
                    return self._upload_address(media, shared.upload)
                stays = is_unchanged and not self._platform.pulls.from_verified_domain
                if stays or self._tools.public_files is None:
                    return media.url
                address = await self._tools.public_files.put(self._workspace_id, fitted)
                await self._record.save(media.url, (*removed, *changes))
                return address

    def _cleans_address(self, shared: SharedFile) -> bool:
        """Return whether a file that its platform fetches must be without metadata.

        A file at an address of the client's own is public already, so it stays there if it can.
        """
        if self._platform.strips_metadata or self._tools.public_files is None:
            return False
        return shared.upload is not None or self._platform.pulls.from_verified_domain

    def _upload_address(self, media: Media, upload: OwnUpload) -> str:
        """Return the public address of an upload, which is on a domain of this service. Raises PlatformError."""
        if upload.public_url is None:
            raise Refusals(media, "").no_public_address(self._platform.label)
        return upload.public_url

    def _cover(self, media: Media) -> FileRule | None:
        """Return the rule of a file that belongs to a video; None for other files, also for one of the same address."""
        rule = self._covers.get(media.url)
        return rule if rule and rule.kind is media.type else None

    def _start_decoders(self, media: Media) -> None:
        if media.type is not MediaType.DOCUMENT:
            self._tools.decoder_pool.start(VIDEOS if media.type is MediaType.VIDEO else IMAGES)

    @asynccontextmanager
    async def _file(self, media: Media) -> AsyncIterator[SharedFile]:
        """Yield a file as it was fetched, for the length of the block."""
        files, waiting = self._tools.files, self._tools.admission.waiting
        cover = self._cover(media)
        rule = cover if cover and media.type is not MediaType.IMAGE else self._rules.get(media.type)
        # A picture may be made smaller; every other file is sent as it is.
        most = files.max_bytes if media.type is MediaType.IMAGE else (rule and rule.max_bytes) or _UNSTATED_BYTES
        try:
            with self._step_with_media():
                async with AsyncExitStack() as stack:
                    opening = files.open(self._workspace_id, self._post_id, media, self._fetched, most)
                    try:
                        file = await stack.enter_async_context(opening)
                    except PlatformError as error:
                        if error.code != TOO_LARGE or not rule or most >= files.max_bytes or most != rule.max_bytes:
                            raise
                        raise limits.too_large(self._platform.label, rule) from error
                    waiting.admit(self._workspace_id, self._target_id)
                    yield file
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            disk = self._tools.admission.disk
            log.warning("media.no_disk_space", room_mb=disk.measure() // 2**20, file_mb=disk.file_bytes // 2**20)
            message = "This service has no disk space for media at the moment; it is tried again."
            raise PlatformError(ErrorKind.TRANSIENT, message, code=NO_DISK_SPACE) from error
        except Exhausted as short:
            # Files that the workspace keeps only for later are dropped first.
            files.make_room(self._workspace_id, short)
            raise MediaBusy(waiting.postpone(self._workspace_id, self._target_id, short.interval)) from short
        except TooManyWaiting as full:
            raise MediaBusy(waiting.postpone(self._workspace_id, self._target_id, full.interval)) from full

    @contextmanager
    def _step_with_media(self) -> Iterator[None]:
        """Count this step, while it has a file open, among those of its platform that hold media. Raises Exhausted."""
        if self._held is None and not self.sends:
            self._held = self._tools.admission.hold_step(self._platform.name, self._workspace_id)
        self._opened += 1
        try:
            yield
        finally:
            self._opened -= 1
            if self._held and not self._opened:
                self._held.release()
                self._held = None

    def _fetched(self, received: int) -> None:
        self._progress(f"fetched {received / 2**20:.1f} MB")

    async def _examined(self, media: Media, shared: SharedFile, *, cleaned: bool) -> Fitted:
        if media.type is MediaType.DOCUMENT:
            # No reader of ours looks into documents.
            return shared.stored, None, ()
        return await shared.examine(self._tools.decoder_pool, cleaned=cleaned)

    @asynccontextmanager
    async def _fitted(
        self, media: Media, file: StoredFile, facts: MediaFacts | None, *, converts: bool = True
    ) -> AsyncIterator[Fitted]:
        """Yield the file as the platform takes it, with what it is and how it was changed."""
        kind, label = media.type, self._platform.label
        cover = self._cover(media)
        rule = cover or self._rules.get(kind)
        if rule and rule.shrinks and self._most_bytes:
            rule = replace(rule, max_bytes=min(rule.max_bytes or self._most_bytes, self._most_bytes))
        sides = None if cover else self._sides.get(kind)
        demand = limits.image_demand(rule, facts, sides) if rule and facts and kind is MediaType.IMAGE else None
        if rule is None or demand is None or facts is None:
            if rule is not None:
                limits.check(label, rule, file, facts)
            yield file, facts, ()
            return
        if facts.frames > 1 and file.content_type == "image/gif" and MediaType.GIF in self._rules:
            message = f"The image is a moving GIF. Give it the type gif, or {label} would show its first picture only."
            raise PlatformError(ErrorKind.REJECTED, message, code="media_type")
        if not converts:
            raise _cannot_convert(label, rule, facts)
        async with self._tools.decoder_pool.converted(self._workspace_id, file, facts, demand) as (
            converted_file,
            new,
            changes,
        ):
            limits.check(label, rule, converted_file, new)
            yield converted_file, new, changes


def _with_facts(file: StoredFile, facts: MediaFacts | None) -> StoredFile:
    return replace(file, width=facts.width, height=facts.height, seconds=facts.duration) if facts else file


def _cannot_convert(label: str, rule: FileRule, facts: MediaFacts) -> PlatformError:
    if facts.content_type not in rule.types:
        sentence = f"{limits.takes(label, rule, facts.content_type)}. Give the URL of a file of that type."
        return PlatformError(ErrorKind.REJECTED, sentence, code="media_type")
    limits_of_sides = (
        (rule.max_width, "wide"),
        (rule.max_height, "high"),
        (rule.max_shorter, "on the shorter side"),
        (rule.max_longer, "on the longer side"),
    )
    sides = " and ".join(f"{most:,} pixels {side}" for most, side in limits_of_sides if most)
    sentence = f"{label} allows an image up to {sides}; this is {facts.width:,} x {facts.height:,}. Give a smaller one."
    return PlatformError(ErrorKind.REJECTED, sentence, code="media_dimensions")
