"""Stores of fsspec that make up the names of recordings which nobody stored, as many as a test asks for."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.memory import MemoryFileSystem


class MadeUp(MemoryFileSystem):
    """A store of names that nobody stored: folders of 100 clips, and as many without a suffix in one folder."""

    protocol = "madeup"
    cachable = False
    clips = 0
    refused: type[Exception] | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(path).partition("://")[2].strip("/") if "://" in str(path) else path.strip("/")

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[dict[str, Any]]:
        if path == "archive":
            if MadeUp.refused is not None:
                raise MadeUp.refused("no")
            return [{"name": f"archive/{n:05}", "type": "directory", "size": 0} for n in range(MadeUp.clips // 100)]
        return [{"name": f"{path}/{n:03}.dcm", "type": "file", "size": 9, "ETag": f'"{n}"'} for n in range(100)]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return {"name": path, "type": "directory", "size": 0}


class MadeUpPages(MadeUp):
    """The same in a single folder, in pages as S3 gives them."""

    protocol = "madeuppages"
    req_kw: dict[str, str] = {}  # noqa: RUF012

    def split_path(self, path: str) -> tuple[str, str, None]:
        return "archive", "", None

    def call_s3(self, method: str, ContinuationToken: int = 0, **kwargs: Any) -> dict[str, Any]:
        following = ContinuationToken + 1000
        numbers = range(ContinuationToken, min(following, MadeUp.clips))
        page: dict[str, Any] = {"Contents": [{"Key": f"{n:09}.dcm", "Size": 9, "ETag": f'"{n}"'} for n in numbers]}
        return page | ({"NextContinuationToken": following} if following < MadeUp.clips else {})

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        if path.endswith(".json") or path.endswith(".csv"):
            raise FileNotFoundError(path)
        return super().info(path)
