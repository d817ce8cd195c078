"""The archive of a data folder: opened with it, kept up by a server, and written when asked."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import duckdb
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.folder import Folder
from api.openapi import refusals
from api.problems import Unavailable
from api.settings import Settings
from projections.build import Progress
from projections.feed import Feed
from replay.archive.archive import Archive
from replay.archive.keeping import Keeper

THREADS = 2


class ArchiveTroubleBody(BaseModel):
    """A segment or a file of the archive that is not used, but read from the log instead."""

    after: int = Field(description="The position before the segment.")
    upto: int = Field(description="The last position of the segment.")
    file: str | None = Field(description="The file; null for the whole segment.")
    why: str


class ArchiveBody(BaseModel):
    """How far the archive has come."""

    position: int = Field(description="Up to which position events are archived.")
    lag: int = Field(description="How many positions it is behind the log.")
    segments: int
    files: int
    events: int
    bytes: int
    troubles: list[ArchiveTroubleBody]
    failure: str | None = Field(description="Why it could not be written when that was tried last.")


class ArchiveWantedBody(BaseModel):
    """What is to be done."""

    model_config = ConfigDict(extra="forbid", strict=True)

    verify: bool = Field(default=False, description="Whether every file is hashed again first.")


class SegmentBody(BaseModel):
    """What was written of one segment."""

    after: int
    upto: int
    files: int
    events: int


class ArchivedBody(BaseModel):
    """What was written, and what the archive is now."""

    found: list[ArchiveTroubleBody] = Field(description="What was wrong before; it was written anew.")
    written: list[SegmentBody]
    archive: ArchiveBody


@contextmanager
def open_archive(settings: Settings, feed: Feed, *, follow: bool) -> Generator[Archive]:
    """The archive of the data folder; with `follow` it is kept up with the log, unless that is switched off."""
    archive = Archive(Folder(settings.data).archive, feed)
    if not (follow and settings.archive):
        yield archive
        return
    keeper = Keeper(archive)
    keeper.start()
    try:
        yield archive
    finally:
        keeper.stop()


def told(archive: Archive) -> ArchiveBody:
    """How far an archive has come."""
    standing = archive.standing()
    troubles = [ArchiveTroubleBody.model_validate(each, from_attributes=True) for each in standing.troubles]
    return ArchiveBody(
        position=standing.position,
        lag=max(0, standing.head - standing.position),
        segments=standing.segments,
        files=standing.files,
        events=standing.events,
        bytes=standing.bytes,
        troubles=troubles,
        failure=archive.failure,
    )


def write(archive: Archive, *, verify: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """Write everything that is settled and not archived yet, and what is bad. Raises Unavailable `archive.unavailable`."""
    found = archive.verify() if verify else list(archive.standing().troubles)
    try:
        written = list(archive.keep_up(short=True, threads=THREADS, progress=progress))
    except (OSError, duckdb.Error) as error:
        raise Unavailable("archive.unavailable", f"the archive cannot be written now ({str(error).splitlines()[0]})") from error
    body = ArchivedBody(
        found=[ArchiveTroubleBody.model_validate(each, from_attributes=True) for each in found],
        written=[SegmentBody.model_validate(each, from_attributes=True) for each in written],
        archive=told(archive),
    )
    return body.model_dump(mode="json")


def archive_routes(archive: Archive) -> APIRouter:
    """The route that writes the archive."""
    router = APIRouter(tags=["operation"])

    @router.post("/v1/archive", responses=refusals(400, 413, 422, 503))
    def archive_now(wanted: ArchiveWantedBody) -> ArchivedBody:
        """Write the events that are not archived yet into typed Parquet files, and anew what is missing, damaged or not of this log."""
        return ArchivedBody.model_validate(write(archive, verify=wanted.verify))

    return router
